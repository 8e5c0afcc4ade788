/** What an agent does beside its steps while its machine is still starting. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { AgentActivities } from '../../activities/contract.ts';
import { devicesFound } from '../../worker/enrolment/devices.ts';
import { fetchAuthority } from '../../worker/enrolment/gateway-client.ts';
import { lazySteps } from '../../worker/lazy-steps.ts';
import { GatewaySite } from './harness/site.ts';

const AGENT = fileURLToPath(new URL('../../worker/agent.ts', import.meta.url));
const DIGEST = `sha256:${'0'.repeat(64)}`;

/** A log, and what is written to it. */
function logOf() {
  const lines: { level: number; msg: string }[] = [];
  return { lines, logger: pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) }) };
}

test('it waits for the devices of its machine', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'iguana-devices-'));
  try {
    const file = join(folder, 'devices');
    const { lines, logger } = logOf();
    let hasEnded = false;
    const waiting = devicesFound(file, logger).then(() => {
      hasEnded = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(hasEnded).toBe(false);
    writeFileSync(file, '');
    await waiting;
    expect(lines).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('it says so where devices take too long, and goes on', async () => {
  const { lines, logger } = logOf();
  await devicesFound('/nonexistent/devices', logger, 200);
  expect(lines).toMatchObject([{ msg: 'some devices still have no driver; going on without them' }]);
});

test('it loads its steps once, with the first task', async () => {
  let loads = 0;
  const steps = lazySteps(async () => {
    loads++;
    return { release: async () => undefined, leave: async () => undefined } as unknown as AgentActivities;
  });
  expect(loads).toBe(0);
  await Promise.all([steps.release({} as never), steps.leave({} as never)]);
  expect(loads).toBe(1);
});

test('without a network it waits, and says so once', async () => {
  const agent = execa('unshare', ['--net', process.execPath, AGENT], {
    env: { IGUANA_GATEWAY: 'https://192.0.2.1:7281', IGUANA_CA_DIGEST: DIGEST, IGUANA_CONSOLE: 'words' },
    reject: false,
    all: true,
  });
  const said: string[] = [];
  for await (const line of agent.iterable({ from: 'all' })) {
    said.push(line);
    // Time for more words, which must not come.
    if (line === 'waiting for the network') setTimeout(() => agent.kill('SIGKILL'), 2_000);
  }
  await agent;
  expect(said).toEqual(['enrolling at https://192.0.2.1:7281', 'waiting for the network']);
});

test('an answer that breaks off fails the request, and nothing else', async () => {
  const site = new GatewaySite();
  const { authority } = await site.start();
  const server = createServer(await authority.issueServer(['localhost']), (_, answer) => {
    answer.writeHead(200, { 'content-length': 1_000 });
    answer.write('half');
    setTimeout(() => tcp?.resetAndDestroy(), 100);
  });
  let tcp: Socket | undefined;
  server.on('connection', (socket: Socket) => {
    tcp = socket;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const gateway = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await expect(fetchAuthority({ gateway, caDigest: DIGEST, folder: '' })).rejects.toThrow(
      /ECONNRESET|aborted/,
    );
  } finally {
    server.close();
    await site.remove();
  }
});
