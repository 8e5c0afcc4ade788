/** The door for installed systems, with a real install behind it. */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FirstBootOptions, firstBootEndpoint } from '../../gateway/first-boot.ts';
import { FoldedLog } from '../../gateway/folded-log.ts';
import { InstallHarness, status, until } from '../workflows/install-harness.ts';
import { digestOf, layer, Script, untilCancelled } from '../workflows/scripted-activities.ts';

const TOKEN = 'f'.repeat(64);
const WAITS = { layers: [layer('site', 'confirm: first-boot\nhandoff: virtual-machine\ntimeout: 600')] };

const log: { msg: string }[] = [];
const folded = new FoldedLog(pino({}, { write: (line: string) => void log.push(JSON.parse(line)) }));

let harness: InstallHarness;
let endpoint: FastifyInstance;
const endpointWith = (changes: Partial<FirstBootOptions> = {}) =>
  firstBootEndpoint({ client: harness.client, folded, ...changes });
beforeAll(async () => {
  harness = await InstallHarness.start();
  endpoint = endpointWith();
});
afterAll(async () => {
  await endpoint.close();
  await harness.stop();
});

const reportOf = (machineId: string, more: object = {}) => ({
  machineId,
  hostname: 'web1',
  kernel: '6.12',
  bootId: 'b1',
  ...more,
});

async function post(body: unknown, token: string | undefined = TOKEN, to = endpoint): Promise<number> {
  const { statusCode } = await to.inject({
    method: 'POST',
    url: '/v1/first-boot',
    headers: {
      'content-type': 'application/json',
      ...(token !== '' && { authorization: `Bearer ${token}` }),
    },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return statusCode;
}

const script = () =>
  new Script({
    runVirtualMachine: untilCancelled,
    personalise: async () => ({
      tokenDigest: digestOf(TOKEN),
      changedDigest: digestOf('changed'),
      changedCount: 1,
    }),
  });

it('takes one report with the right token, and the same again when its answer was lost', async () => {
  await harness.run(script(), WAITS, async (install) => {
    const machineId = install.workflowId.replace('install/', '');
    await until(install, (s) => s.phase === 'confirm');
    expect(await post(reportOf(machineId), '')).toBe(401);
    expect(await post(reportOf(machineId), 'e'.repeat(64))).toBe(403);
    expect(await post(reportOf(machineId, { stranger: 'field' }))).toBe(204);
    await expect(install.result()).resolves.toMatchObject({ outcome: 'succeeded' });
    expect(await post(reportOf(machineId))).toBe(204);
    expect(await post(reportOf(machineId, { bootId: 'b2' }))).toBe(404);
    expect((await status(install)).firstBoot).toEqual({ ...reportOf(machineId), at: expect.any(String) });
  });
});

it('carries the names of failed scripts, and bounds what a stranger can put into the history', async () => {
  await harness.run(script(), WAITS, async (install) => {
    const machineId = install.workflowId.replace('install/', '');
    await until(install, (s) => s.phase === 'confirm');
    const failedScripts = ['join-domain', 'x'.repeat(1000), ...Array.from({ length: 50 }, (_, n) => `s${n}`)];
    expect(await post(reportOf(machineId, { failedScripts }))).toBe(204);
    const { attention, firstBoot } = await until(install, (s) => s.attention !== undefined);
    expect(attention?.type).toBe('FirstBootScriptFailed');
    expect(firstBoot?.failedScripts).toHaveLength(40);
    expect(firstBoot?.failedScripts?.slice(0, 2)).toEqual(['join-domain', 'x'.repeat(256)]);
    await install.terminate();
  });
});

it('lets a machine try again while nobody works on its install, and takes its report once when somebody does', async () => {
  const machineId = randomUUID();
  await using brief = endpointWith({ patienceMs: 500 });
  const posted = () => post(reportOf(machineId), TOKEN, brief);
  const layers = [layer('site', 'confirm: first-boot\nhandoff: reboot\ntimeout: 600')];
  const install = await harness.withWorkers(script(), [machineId], async () => {
    const begun = await harness.install(machineId, { layers });
    await until(begun, (s) => s.phase === 'confirm');
    return begun;
  });
  expect(await Promise.all(Array.from({ length: 5 }, posted))).toEqual([503, 503, 503, 503, 503]);
  const said = log.filter(({ msg }) => msg === 'telling an install of its first boot failed');
  // Not one for each; an interval may have ended in between.
  expect([1, 2]).toContain(said.length);
  await harness.withWorkers(script(), [machineId], async () => {
    await expect.poll(posted, { timeout: 30_000 }).toBe(204);
    await install.result();
  });
  const { events } = await install.fetchHistory();
  expect(events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toHaveLength(1);
  // The install has ended, and nobody is there to say what it was told.
  expect(await posted()).toBe(204);
  expect(await post(reportOf(machineId, { hostname: 'web2' }), TOKEN, brief)).toBe(503);
});

it('lets nobody send any number of reports, and logs none', async () => {
  await using narrow = endpointWith({ reportsPerSecond: 2 });
  const before = log.length;
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => post(reportOf(randomUUID()), TOKEN, narrow)),
  );
  // A second may end in between.
  expect(answers.filter((status) => status === 429).length).toBeGreaterThanOrEqual(6);
  expect(answers).toContain(404);
  expect(log).toHaveLength(before);
});

describe('refuses', () => {
  it.each<[string, number, () => unknown]>([
    ['a machine that nobody installs', 404, () => reportOf(randomUUID())],
    ['a report without a host name', 400, () => ({ ...reportOf('m'), hostname: undefined })],
    ['an overlong kernel', 400, () => reportOf('m', { kernel: 'x'.repeat(257) })],
    ['scripts of another type', 400, () => reportOf('m', { failedScripts: [{ name: 'x' }] })],
    ['something that is no JSON', 400, () => '{'],
    ['a body without end', 413, () => reportOf('m', { hostname: 'x'.repeat(100_000) })],
  ])('%s', async (_what, expected, body) => {
    expect(await post(body())).toBe(expected);
  });
});
