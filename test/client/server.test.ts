import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, expect, it } from 'vitest';
import { findServer } from '../../host/server-record.ts';
import { statePaths } from '../../host/state.ts';
import { CommandLine } from './command.ts';

const iguana = new CommandLine();
const paths = statePaths({ IGUANA_STATE: iguana.state });

afterAll(async () => {
  await iguana.run(['server', 'stop']);
});

/** The Web UI is told where payloads are decrypted, and not by which token; with the token they are. */
async function expectCodec(uiAddress: string): Promise<void> {
  const { documents } = await iguana.json(['server', 'codec']);
  const [{ address, uiEndpoint, token }] = documents as [Record<'address' | 'uiEndpoint' | 'token', string>];
  const settings = await (await fetch(new URL('/api/v1/settings', uiAddress))).text();
  expect(JSON.parse(settings)).toMatchObject({ Codec: { Endpoint: address } });
  expect(settings).not.toContain(token);
  const answer = await fetch(`${uiEndpoint}/decode`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: uiAddress },
    body: '{"payloads":[]}',
  });
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, uiAddress]);
}

it('starts in the background, is found by a second start, answers, and stops in order', async () => {
  const first = await iguana.json(['server', 'start']);
  expect(first).toMatchObject({
    status: 0,
    documents: [{ pid: expect.any(Number), uiAddress: expect.stringMatching(/^http:/) }],
  });
  const second = await iguana.json(['server', '--detach']);
  expect(second).toEqual(first);
  await expect(iguana.json(['status'])).resolves.toEqual({ status: 0, documents: [[]] });
  await expect(iguana.run(['server'])).resolves.toMatchObject({
    status: 0,
    stdout: expect.stringContaining('already running'),
  });
  await expectCodec((first.documents[0] as { uiAddress: string }).uiAddress);
  await expect(iguana.json(['server', 'stop'])).resolves.toEqual({
    status: 0,
    documents: [{ stopped: true }],
  });
  await expect(iguana.run(['server', 'status'])).resolves.toMatchObject({ status: 1 });
});

it('is one, when two are started at once', async () => {
  const both = new CommandLine();
  const answers = await Promise.all([both.json(['server', 'start']), both.json(['server', 'start'])]);
  try {
    expect(answers[0]).toMatchObject({ status: 0, documents: [{ pid: expect.any(Number) }] });
    expect(answers[1]).toEqual(answers[0]);
    const { stdout } = await execa('pgrep', ['--full', `start-dev.*${both.state}`]);
    expect(stdout.split('\n')).toHaveLength(1);
  } finally {
    await both.run(['server', 'stop']);
  }
});

it('is started by resume after it was killed, and says where its log is', async () => {
  await iguana.run(['server', 'start']);
  const { pid = 0 } = (await findServer(paths)) ?? {};
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => findServer(paths)).toBeUndefined();
  const { status, stdout, stderr } = await iguana.run(['resume']);
  expect(status).toBe(0);
  expect(stdout).toContain('nothing is unfinished');
  expect(stderr).toContain('starting the Iguana server');
  expect((await findServer(paths))?.pid).not.toBe(pid);
  const shown = await iguana.run(['server', 'status']);
  expect(shown.stdout).toContain(`${iguana.state}/logs/server.log`);
});

it('takes another port for reports where somebody else has the known one, and warns of it', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const crowded = new CommandLine();
  await writeFile(join(crowded.state, 'report-port.json'), JSON.stringify({ port }));
  try {
    const { stdout, stderr } = await crowded.run(['server', 'start', '--output', 'json']);
    const { reportAddress } = JSON.parse(stdout) as { reportAddress: string };
    expect(reportAddress).not.toContain(`:${port}`);
    expect(stderr).toContain(`port ${port} of first-boot reports is taken`);
    expect((await fetch(new URL('/healthz', reportAddress))).status).toBe(200);
  } finally {
    await crowded.run(['server', 'stop']);
    other.close();
  }
});

it('says what its log says where it cannot start', async () => {
  const broken = new CommandLine({ IGUANA_TEMPORAL: '/nowhere/temporal' });
  const { status, stderr } = await broken.run(['server', 'start']);
  expect(status).toBe(1);
  expect(stderr).toContain('/nowhere/temporal');
  expect(stderr).toContain('iguana doctor');
});
