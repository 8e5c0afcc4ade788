/** What the watchdog of the boot image looks at: the real agent tells it of contact with a real gateway, and of nothing else. */
import { mkdtempSync } from 'node:fs';
import { rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { approveKey, listPending } from '../../host/enrolment/pending.ts';
import { Fleet } from './harness/fleet.ts';

const AGENT = fileURLToPath(new URL('../../worker/agent.ts', import.meta.url));
const LONG_AGO = new Date('2026-01-01T00:00:00Z');
const PATIENCE = { timeout: 60_000, interval: 100 };
/** It tells every 15 s. For hanging. */
const TIMEOUT_MS = 300_000;

it('an agent that waits for an operator, or works, is alive; one whose gateway is away is not', {
  timeout: TIMEOUT_MS,
}, async () => {
  const fleet = await Fleet.start();
  onTestFinished(() => fleet.stop());
  const folder = mkdtempSync(join(tmpdir(), 'iguana-alive-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const gateway = await fleet.site.start({ policy: { unknown: 'wait', approval: 'token' } });

  const alive = join(folder, 'alive');
  const agent = execa(process.execPath, [AGENT], {
    env: {
      IGUANA_GATEWAY: `https://127.0.0.1:${gateway.port}`,
      IGUANA_CA_DIGEST: gateway.authority.digest,
      IGUANA_IDENTITY_DIR: join(folder, 'identity'),
      IGUANA_STATE: join(folder, 'state'),
      IGUANA_ALIVE_FILE: alive,
    },
    stdin: 'ignore',
    all: true,
    reject: false,
    buffer: false,
  });
  onTestFinished(async () => {
    agent.kill('SIGKILL');
    await agent;
  });
  let said = '';
  agent.all.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const says = (what: RegExp) => expect.poll(() => said, PATIENCE).toMatch(what);
  const lastContact = async () => (await stat(alive).catch(() => undefined))?.mtimeMs ?? 0;
  const tells = async () => {
    await expect.poll(lastContact, PATIENCE).toBeGreaterThan(LONG_AGO.getTime());
    await utimes(alive, LONG_AGO, LONG_AGO);
  };

  await says(/waiting to be let in/);
  await tells();
  const [pending] = await listPending(fleet.site.paths);
  await approveKey(fleet.site.paths, { machineId: pending?.machineId ?? '', by: 'ada' });
  await says(/worker polls/);
  // When it is let in, and then again and again.
  for (let times = 0; times < 3; times++) await tells();

  await fleet.site.stop(gateway);
  await says(/no contact through the gateway/);
  await utimes(alive, LONG_AGO, LONG_AGO);
  await says(/no contact through the gateway[\s\S]*no contact through the gateway/);
  expect(await lastContact()).toBe(LONG_AGO.getTime());
});
