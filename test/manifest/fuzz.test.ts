/** Whatever people write, planning comes back with an answer: it neither throws nor hangs, and misses nothing. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { checkProfile } from '../../manifest/check-profile.ts';
import type { Diagnostic } from '../../manifest/diagnostics.ts';
import { formatDiagnostics } from '../../manifest/diagnostics.ts';
import { inlineSources } from '../../manifest/inline-sources.ts';
import { planManifest } from '../../manifest/plan.ts';
import { facts, MIRROR } from './samples.ts';

const KEYS = [
  'apiVersion',
  'kind',
  'name',
  'image',
  'storage',
  'machine',
  'handoff',
  'confirmation',
  'packages',
  'repositories',
  'kernel',
  'cmdline',
  'files',
  'services',
  'scripts',
  'path',
  'content',
  'source',
  'encoding',
  'mode',
  'disk',
  'match',
  'size',
  'min',
  'max',
  'partitions',
  'label',
  'type',
  'filesystem',
  'mountPoint',
  'users',
  'groups',
  'network',
  'passwordHash',
  'secret',
  'uid',
  'vlan',
  'link',
  'bond',
  'members',
  'addresses',
  'gateway',
  'hostname',
  'firstBoot',
  'remove',
  'transport',
  'limit',
  'order',
  'virtualMachine',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
];
const VALUES = [
  'iguana/v1',
  'Profile',
  'root',
  'esp',
  'rest',
  '1G',
  '0',
  '-1',
  '/',
  '/a',
  '/etc/../x',
  'ext4',
  'vfat',
  'swap',
  'xfs',
  'home',
  'nvme',
  '{machine.id}',
  '{',
  '-a1',
  '192.0.2.1/24',
  '::1/0',
  '$6$a$b',
  'no',
  'true',
  '~',
  '',
  ' ',
  '\u0000',
  '\u202e',
  '😀',
  '\ud800',
  '!x',
  '&a',
  '*a',
];

const leaf = fc.oneof(
  fc.constantFrom(...VALUES),
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 7, depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof({ arbitrary: fc.constantFrom(...KEYS), weight: 9 }, { arbitrary: fc.string(), weight: 1 }),
      tie('tree'),
      {
        maxKeys: 6,
      },
    ),
  ),
}));

/** A profile in shape, with anything in its places. */
const body = fc.record(
  {
    image: fc.oneof(
      tree,
      fc.record({ packages: fc.array(leaf), files: fc.array(tree), kernel: tree }, { requiredKeys: [] }),
    ),
    storage: fc.oneof(
      tree,
      fc.record(
        {
          disk: tree,
          existingData: fc.constantFrom('refuse', 'erase', 'x'),
          partitions: fc.array(
            fc.record(
              {
                label: fc.constantFrom('root', 'esp', 'a', 'b', 5),
                type: fc.constantFrom('root', 'esp', 'home', 'swap', 'var', 'x'),
                size: fc.oneof(fc.constantFrom('rest', '1G', '900G', 1, { min: '5G' }), tree),
                filesystem: fc.constantFrom('ext4', 'xfs', 'btrfs', 'vfat', 'swap', 'x'),
                mountPoint: fc.constantFrom('/', '/a', '/a/b', '/efi/x', 'x'),
                remove: fc.constantFrom(true, false),
              },
              { requiredKeys: [] },
            ),
            { maxLength: 6 },
          ),
        },
        { requiredKeys: [] },
      ),
    ),
    machine: tree,
    handoff: tree,
    confirmation: tree,
  },
  { requiredKeys: [] },
);

function toText(value: unknown): string {
  return JSON.stringify({ apiVersion: 'iguana/v1', kind: 'Profile', ...(value as object) });
}

function expectUseful(diagnostics: readonly Diagnostic[]): void {
  for (const { file, line, column, message, path } of diagnostics) {
    expect(file).not.toBe('');
    expect(line).toBeGreaterThanOrEqual(1);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(message).not.toBe('');
    expect(path).not.toBe('');
  }
  expect(formatDiagnostics(diagnostics).split('\n')).toHaveLength(Math.max(1, diagnostics.length));
}

test('any text', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ maxLength: 500 }), fc.string({ unit: 'binary', maxLength: 200 })),
      (text) => {
        const { profile, diagnostics } = checkProfile(text, 'x.yaml');
        expect(profile === undefined).toBe(diagnostics.length > 0);
        expectUseful(diagnostics);
      },
    ),
    { numRuns: 2000 },
  );
});

test('any text of the characters that YAML is made of', () => {
  const text = fc.string({ unit: fc.constantFrom(...'-:?[]{},#&*!|>\'"%@` \n\tab1~<'), maxLength: 300 });
  fc.assert(
    fc.property(text, (it) => {
      expectUseful(checkProfile(it, 'x.yaml').diagnostics);
    }),
    { numRuns: 3000 },
  );
});

test('any values in any places, as JSON and as YAML', () => {
  fc.assert(
    fc.property(tree, (value) => {
      expectUseful(checkProfile(JSON.stringify(value), 'x.json').diagnostics);
      expectUseful(checkProfile(stringify(value), 'x.yaml').diagnostics);
    }),
    { numRuns: 1000 },
  );
});

test('any layers give a plan or say why not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(body, { minLength: 1, maxLength: 3 }), async (bodies) => {
      const layers = bodies.map((value, index) => ({ name: `l${index}`, text: toText(value) }));
      const outcome = planManifest({ layers, facts: facts(), target: { kind: 'machine' }, mirror: MIRROR });
      if (outcome.ok) return;
      expect(outcome.diagnostics.length).toBeGreaterThan(0);
      expectUseful(outcome.diagnostics);
      for (const { text } of layers) {
        const inlined = await inlineSources(text, 'x', async () => new Uint8Array([0, 255]));
        expectUseful(inlined.diagnostics);
      }
    }),
    { numRuns: 500 },
  );
});

test('no error is missed: each slip in a right profile is named, however many there are', () => {
  const slips: Record<string, { body: unknown; path: string }> = {
    release: { body: { image: { release: 'Tri xie' } }, path: 'image.release' },
    key: { body: { image: { kyboard: 'us' } }, path: 'image.kyboard' },
    disk: { body: { storage: { disk: { match: { siz: {} } } } }, path: 'storage.disk.match.siz' },
    data: { body: { storage: { existingData: 'keep' } }, path: 'storage.existingData' },
    hostname: { body: { machine: { hostname: 5 } }, path: 'machine.hostname' },
    user: { body: { machine: { users: [{ name: 'a', uid: -1 }] } }, path: 'machine.users[0].uid' },
    cpus: { body: { handoff: { virtualMachine: { cpus: 0 } } }, path: 'handoff.virtualMachine.cpus' },
    wait: { body: { confirmation: { wait: 'forever' } }, path: 'confirmation.wait' },
    top: { body: { extra: 1 }, path: 'extra' },
  };
  const merge = (a: Record<string, unknown>, b: Record<string, unknown>): Record<string, unknown> => ({
    ...a,
    ...Object.fromEntries(
      Object.entries(b).map(([key, value]) => [
        key,
        key in a && typeof value === 'object'
          ? merge(a[key] as Record<string, unknown>, value as Record<string, unknown>)
          : value,
      ]),
    ),
  });
  fc.assert(
    fc.property(fc.subarray(Object.keys(slips)), (chosen) => {
      const value = chosen.reduce<Record<string, unknown>>(
        (all, name) => merge(all, slips[name]?.body as Record<string, unknown>),
        {},
      );
      const { diagnostics } = checkProfile(toText(value), 'x.json');
      expect(diagnostics.map(({ path }) => path).sort()).toEqual(
        chosen.map((name) => slips[name]?.path).sort(),
      );
    }),
  );
});

test('a megabyte of mistakes', () => {
  const packages = Array.from({ length: 100_000 }, () => 'A').join();
  const { diagnostics } = checkProfile(
    `apiVersion: iguana/v1\nkind: Profile\nimage: {packages: [${packages}]}`,
    'x.yaml',
  );
  expect(diagnostics).toHaveLength(100_000);
});

test('a megabyte of unknown keys', () => {
  const keys = Array.from({ length: 60_000 }, (_, index) => `packag${index}: 1`).join(', ');
  const { diagnostics } = checkProfile(`apiVersion: iguana/v1\nkind: Profile\nimage: {${keys}}`, 'x.yaml');
  expect(diagnostics).toHaveLength(60_000);
});
