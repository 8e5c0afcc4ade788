/** The gateway as the process that `iguana server` runs: its endpoints, its settings, images, metrics. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Authority } from '../../gateway/authority/authority.ts';
import { gatewayKeys } from '../../gateway/authority/keys.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import { Https } from './harness/https.ts';
import { type EnrolledMachine, GatewaySite } from './harness/site.ts';

const MAIN = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url));

let site: GatewaySite;
let child: ChildProcess | undefined;
beforeEach(() => {
  site = new GatewaySite();
});
afterEach(async () => {
  if (child && child.exitCode === null) {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    // It ends by itself, and at once.
    expect(await exit).toEqual([0, null]);
  }
  child = undefined;
  await site.remove();
});

function run(env: NodeJS.ProcessEnv): { output: () => string } {
  let output = '';
  child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      IGUANA_STATE: site.root,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      IGUANA_GATEWAY_PORT: '0',
      ...env,
    },
    stdio: 'pipe',
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return { output: () => output };
}

/** Starts it, and answers where it listens, as it says itself. */
async function start(env: NodeJS.ProcessEnv = {}) {
  const { output } = run(env);
  await expect.poll(output, { timeout: 30_000 }).toMatch(/the gateway is ready/);
  const port = Number(/"port":(\d+),"caDigest"/.exec(output())?.[1]);
  const reports = /"address":"([^"]+)","msg":"first-boot/.exec(output())?.[1] ?? '';
  const boots = /"address":"([^"]+)","msg":"boot endpoint/.exec(output())?.[1] ?? '';
  const authority = await Authority.open(await gatewayKeys(site.paths));
  expect(output()).toContain(`"caDigest":"${authority.digest}"`);
  return { gateway: { port, authority } as unknown as Gateway, reports, boots };
}

it('serves machines and reports on loopback, with health and metrics', async () => {
  const { gateway, reports } = await start();
  expect(new URL(reports).hostname).toBe('127.0.0.1');
  using https = new Https(gateway);
  expect((await https.get('/healthz')).status).toBe(200);
  await https.post('/v1/renew', { csr: 'x'.repeat(64) });
  expect((await https.get('/metrics')).status).toBe(404);
  expect((await fetch(new URL('/healthz', reports))).status).toBe(200);
  const metrics = await (await fetch(new URL('/metrics', reports))).text();
  expect(metrics).toContain(
    'iguana_gateway_denied_total{machine="none",method="/v1/renew",reason="no-certificate"} 1',
  );
});

describe('an image of the store', () => {
  let gateway: Gateway;
  let machine: EnrolledMachine;
  let blob: Buffer;
  let path: string;
  beforeEach(async () => {
    ({ gateway } = await start());
    machine = await site.machine(gateway, 1);
    blob = randomBytes(300_000);
    const hex = createHash('sha256').update(blob).digest('hex');
    path = `/images/blobs/sha256/${hex}`;
    await mkdir(join(site.store, 'blobs/sha256'), { recursive: true });
    await writeFile(join(site.store, 'blobs/sha256', hex), blob);
  });

  it('comes whole and in ranges to a machine', async () => {
    using https = new Https(gateway, { cert: machine.certificate, key: machine.keyPem });
    expect((await https.get(path)).body.equals(blob)).toBe(true);
    const part = await https.get(path, { range: 'bytes=1000-1999' });
    expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 1000-1999/300000']);
    expect(part.body.equals(blob.subarray(1000, 2000))).toBe(true);
  });

  it('comes to nobody else, and nothing beside blobs comes to anybody', async () => {
    using stranger = new Https(gateway);
    expect((await stranger.get(path)).status).toBe(401);
    using https = new Https(gateway, { cert: machine.certificate, key: machine.keyPem });
    for (const other of ['0'.repeat(64), 'x', '..%2f..%2f..%2fgateway%2fkeys.json', `${'0'.repeat(63)}%00`]) {
      expect((await https.get(`/images/blobs/sha256/${other}`)).status).toBe(404);
    }
  });
});

it('serves firmware where a boot folder is named, on loopback, and nothing else there', async () => {
  await writeFile(join(site.root, 'vmlinuz'), 'kernel');
  const { gateway, boots } = await start({ IGUANA_BOOT_FOLDER: site.root, IGUANA_BOOT_PORT: '0' });
  const asked = async (path: string) => await fetch(new URL(path, boots));
  expect(new URL(boots).hostname).toBe('127.0.0.1');
  expect(await (await asked('/boot/vmlinuz')).text()).toBe('kernel');
  expect(await (await asked('/boot/ipxe')).text()).toMatch(/^#!ipxe\n:ask\nchain /);
  for (const path of ['/metrics', '/v1/ca', '/v1/first-boot']) expect((await asked(path)).status).toBe(404);
  expect(gateway.port).not.toBe(Number(new URL(boots).port));
});

it('does not start with settings that are none, and names all of them', async () => {
  const { output } = run({ IGUANA_GATEWAY_UNKNOWN: 'perhaps', IGUANA_GATEWAY_PORT: '70000' });
  await once(child as ChildProcess, 'exit');
  expect(output()).toMatch(
    /reading the settings of the gateway: IGUANA_GATEWAY_PORT: .*; IGUANA_GATEWAY_UNKNOWN: /,
  );
});
