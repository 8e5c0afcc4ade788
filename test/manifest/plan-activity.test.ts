import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import type { Layer, PlanInput } from '../../activities/contract.ts';
import type { FailureDetails } from '../../activities/failures.ts';
import { planActivities } from '../../activities/plan/plan.ts';
import { digestOfText } from '../../manifest/digest.ts';
import type { DiskFacts } from '../../manifest/schema/facts.ts';
import { disk, facts, layer } from './samples.ts';

/** Repositories with addresses, so that the answer does not depend on this host. */
const OWN = `image:
  repositories:
    - {name: debian, uri: "http://m.example/debian"}
    - {name: debian-security, uri: "http://m.example/debian-security"}
`;

function layers(...bodies: string[]): Layer[] {
  return [OWN, ...bodies].map((body, index) => {
    const { name, text } = layer(body, `layer${index}.yaml`);
    return { name, text, digest: digestOfText(text) };
  });
}

const { plan, checkLayers } = planActivities();
const input = (changes: Partial<PlanInput> = {}): PlanInput => ({
  layers: layers(),
  facts: facts(),
  target: { kind: 'machine' },
  ...changes,
});

async function failureOf(promise: Promise<unknown>): Promise<ApplicationFailure & { about: FailureDetails }> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof ApplicationFailure)) throw new Error(`no failure: ${String(error)}`);
  return Object.assign(error, { about: error.details?.[0] as FailureDetails });
}

test('plans', async () => {
  const result = await plan(input());
  expect(result.manifest.storage.disk.id).toBe('wwn:0x5000c500a1b2c3d4');
  expect(Object.keys(result.keys).sort()).toEqual([
    'bootloader',
    'build',
    'confirm',
    'handoff',
    'partition',
    'personalise',
  ]);
  expect(await plan(input())).toEqual(result);
});

describe('each obstacle is a failure of its own, that no repetition can mend', () => {
  const withDisks = (...disks: Partial<DiskFacts>[]) => ({
    facts: facts({ disks: disks.map((it) => disk(it)) }),
  });
  test.each<[string, Partial<PlanInput>]>([
    ['ProfileInvalid', { layers: layers('imag: 1') }],
    ['FirmwareUnsupported', { facts: facts({ firmware: { type: 'bios', basis: 'detected' } }) }],
    ['ArchitectureMismatch', { facts: facts({ architecture: 'arm64' }) }],
    ['NoDisk', withDisks()],
    ['DiskAmbiguous', withDisks({}, { id: 'wwn:2' })],
    ['DiskIsInstallMedium', withDisks({ installMedium: true })],
    ['DiskUnidentified', withDisks({ id: 'path:sda' })],
    ['DiskInUse', withDisks({ holders: ['mount:/'] })],
    ['DiskHasData', withDisks({ contents: [{ partition: 0, type: 'gpt' }] })],
    ['DiskReadOnly', withDisks({ readOnly: true })],
    ['StorageImpossible', withDisks({ sizeBytes: 2 ** 28 })],
  ])('%s', async (type, changes) => {
    const failure = await failureOf(plan(input(changes)));
    expect(failure.type).toBe(type);
    expect(failure.nonRetryable).toBe(true);
    expect(failure.message).toMatch(/^planning the install of 4c4c4544-\S+:\n\S+:\d+:\d+: /);
    expect(failure.about.remedy).not.toBe('');
    expect(failure.about.context?.diagnostics).toHaveLength(1);
  });

  test('with the candidates and why each was rejected', async () => {
    const changes = withDisks({ id: 'wwn:1', holders: ['mount:/'] }, { id: 'wwn:2', serial: 'X' });
    const failure = await failureOf(
      plan(input({ ...changes, layers: layers('storage: {disk: {match: {serial: Y}}}') })),
    );
    expect(failure.about.context?.candidates).toEqual([
      expect.objectContaining({
        id: 'wwn:1',
        rejected: ['has no serial, "Y" is asked for', 'is in use by mount:/'],
      }),
      expect.objectContaining({ id: 'wwn:2', rejected: ['serial is "X", not "Y"'] }),
    ]);
  });

  test('a hundred thousand errors stay small enough for the history', async () => {
    const packages = Array.from({ length: 100_000 }, () => 'A').join();
    const failure = await failureOf(plan(input({ layers: layers(`image: {packages: [${packages}]}`) })));
    expect(failure.message).toContain('and 99900 more');
    expect(JSON.stringify([failure.message, failure.details]).length).toBeLessThan(200_000);
  });
});

describe('layers that shall replace those of a running install', () => {
  test('pass when they are right', async () => {
    await expect(checkLayers({ layers: layers('machine: {hostname: other}') })).resolves.toBeUndefined();
  });
  test('fail with every error', async () => {
    const failure = await failureOf(checkLayers({ layers: layers('imag: 1', 'storge: 1') }));
    expect(failure.type).toBe('ProfileInvalid');
    expect(failure.about.context?.diagnostics).toHaveLength(2);
  });
});
