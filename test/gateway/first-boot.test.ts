/** The door for installed systems, with a real install behind it. */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstBootEndpoint } from '../../gateway/first-boot.ts';
import { InstallHarness, status, until } from '../workflows/install-harness.ts';
import { digestOf, layer, Script, untilCancelled } from '../workflows/scripted-activities.ts';

const TOKEN = 'f'.repeat(64);
const WAITS = { layers: [layer('site', 'confirm: first-boot\nhandoff: virtual-machine\ntimeout: 600')] };

let harness: InstallHarness;
let endpoint: FastifyInstance;
beforeAll(async () => {
  process.env.IGUANA_LOG = 'silent';
  harness = await InstallHarness.start();
  endpoint = firstBootEndpoint(harness.client);
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

async function post(body: unknown, token: string | undefined = TOKEN): Promise<number> {
  const { statusCode } = await endpoint.inject({
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
