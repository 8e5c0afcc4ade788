/** What firmware is told at the door for machines that start, with real installs behind it. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootTarget } from '../../gateway/boot/decide.ts';
import { type BootOptions, bootEndpoint } from '../../gateway/boot/endpoint.ts';
import { BootTargets } from '../../gateway/boot/targets.ts';
import { FoldedLog } from '../../gateway/folded-log.ts';
import { gatewaySettings } from '../../gateway/settings.ts';
import { gatewayPaths, machineFile } from '../../host/enrolment/paths.ts';
import { writeRecord } from '../../host/enrolment/records.ts';
import { PHASES, type Phase, type PhaseState } from '../../workflows/api.ts';
import { InstallHarness, until } from '../workflows/install-harness.ts';
import { digestOf, layer, Script } from '../workflows/scripted-activities.ts';

const TOKEN = 'f'.repeat(64);
const CA = digestOf('authority');
const log: { msg: string }[] = [];
const logger = pino({}, { write: (line: string) => void log.push(JSON.parse(line)) });
const folded = new FoldedLog(logger);

let root: string;
let harness: InstallHarness;
let away: Connection;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'iguana-boots-'));
  harness = await InstallHarness.start();
  away = Connection.lazy({ address: '127.0.0.1:1', interceptors: [] });
});
afterAll(async () => {
  await away.close();
  await harness.stop();
  await rm(root, { recursive: true, force: true });
});

function endpoint(changes: Partial<BootOptions> = {}, client = harness.client): FastifyInstance {
  return bootEndpoint({
    folder: root,
    host: '127.0.0.1',
    port: 0,
    commandLine: '',
    targets: new BootTargets(client, gatewayPaths({ root }), folded),
    ca: CA,
    gatewayPort: 7281,
    logger,
    folded,
    ...changes,
  });
}

async function script(query: string, from = endpoint()): Promise<string> {
  const { statusCode, body } = await from.inject({
    url: `/boot/ipxe${query}`,
    headers: { host: '10.0.0.1:7282' },
  });
  return statusCode === 200 ? body : `${statusCode} ${body}`;
}

const INSTALLER = `kernel vmlinuz initrd=initrd.img panic=60 iguana.server=https://10.0.0.1:7281 iguana.ca=${CA}`;
const ASKS = `:ask
chain --replace ipxe?uuid=\${uuid}&mac=\${netX/mac:hexhyp} || goto wait
:wait
echo Iguana: no answer yet; asking again
sleep 10
goto ask`;
const DISK = /^#!ipxe\necho .* starts its disk\nexit 1\n$/;

it('lets iPXE say who it is, then starts the installer of a machine that nobody knows', async () => {
  expect(await script('')).toBe(`#!ipxe\n${ASKS}\n`);
  const machineId = randomUUID();
  expect(await script(`?uuid=${machineId.toUpperCase()}&mac=52:54:00:12:34:56`)).toBe(
    `#!ipxe
echo Iguana: machine ${machineId} starts the installer
${INSTALLER} || goto again
initrd --name initrd.img initrd.img || goto again
boot || goto again
:again
echo Iguana: the installer cannot be started; trying again
imgfree
sleep 10
${ASKS}
`,
  );
  // Without a UUID of its own, as the agent does.
  const zeros = '00000000-0000-0000-0000-000000000000';
  expect(await script(`?uuid=${zeros}&mac=52-54-00-AB-34-56`)).toContain('machine 52:54:00:ab:34:56 starts');
  expect(await readdir(root)).toEqual([]);
});

it('starts the installer until the machine has left it, the disk from then on, and the installer for the next install', async () => {
  const machineId = randomUUID();
  const asked = (client?: Client) => script(`?uuid=${machineId}`, endpoint({}, client));
  const installed = { layers: [layer('site', 'confirm: first-boot\nhandoff: reboot\ntimeout: 600')] };
  await harness.withWorkers(new Script(), [machineId], async () => {
    const waits = await harness.install(machineId, { layers: [layer('site', 'destroys: all')] });
    await until(waits, (s) => s.awaitsApproval);
    expect(await asked()).toContain(INSTALLER);
    await waits.terminate();

    const install = await harness.install(machineId, installed);
    await until(install, (s) => s.phase === 'confirm');
    expect(await asked()).toMatch(DISK);
    await install.terminate();
    expect(await asked()).toMatch(DISK);
    // Temporal cannot be asked: as the last time.
    expect(await asked(new Client({ connection: away }))).toMatch(DISK);

    const again = await harness.install(machineId, { layers: [layer('site', 'destroys: all')] });
    await until(again, (s) => s.awaitsApproval);
    expect(await asked()).toContain(INSTALLER);
    expect(await asked(new Client({ connection: away }))).toContain(INSTALLER);
    await again.terminate();
  });
});

it('answers many at once, and where its answers cannot be kept', async () => {
  const machineId = randomUUID();
  await harness.withWorkers(new Script(), [machineId], async () => {
    const install = await harness.install(machineId, { layers: [layer('site', 'destroys: all')] });
    await until(install, (s) => s.awaitsApproval);
    const asked = (from = endpoint()) => script(`?uuid=${machineId}`, from);
    for (const said of await Promise.all(Array.from({ length: 20 }, () => asked())))
      expect(said).toContain(INSTALLER);
    const notKept = expect.objectContaining({ msg: expect.stringMatching(/^keeping what/) });
    expect(log).not.toContainEqual(notKept);
    // Of writing it, nothing is left but what was written.
    expect(await readdir(gatewayPaths({ root }).boots)).toContain(machineFile(machineId));
    expect(await readdir(gatewayPaths({ root }).boots)).not.toContainEqual(expect.stringMatching(/new$/));

    const nowhere = gatewayPaths({ root: join(root, 'nowhere') });
    await mkdir(nowhere.root, { recursive: true });
    await symlink('/proc/none', nowhere.boots);
    const targets = new BootTargets(harness.client, nowhere, folded);
    expect(await asked(endpoint({ targets }))).toContain(INSTALLER);
    expect(log).toContainEqual(notKept);
    await install.terminate();
  });
});

it('writes no line for each of the machines that one address asks for', async () => {
  const before = log.length;
  for (let n = 0; n < 50; n++) await script(`?uuid=${randomUUID()}`);
  // An interval may end in between, and say how many there were.
  expect(log.length - before).toBeLessThanOrEqual(3);
});

it('keeps a machine on its disk when Temporal has forgotten its install', async () => {
  const machineId = randomUUID();
  const record = { machineId, target: 'disk', since: new Date().toISOString() };
  await writeRecord(gatewayPaths({ root }).boots, machineFile(machineId), record);
  expect(await script(`?uuid=${machineId}`)).toMatch(DISK);
});

it('lets a machine ask again where Temporal is away and nothing is known', async () => {
  const said = await script(`?uuid=${randomUUID()}`, endpoint({}, new Client({ connection: away })));
  expect(said).toContain(`sleep 10\n${ASKS}\n`);
});

describe('the disk is whole', () => {
  const phases = (changes: Partial<Record<Phase, PhaseState['state']>>): { phases: PhaseState[] } => ({
    phases: PHASES.map((phase) => ({ phase, state: changes[phase] ?? 'done' })),
  });
  it.each<[string, Parameters<typeof phases>[0], string]>([
    ['when all is done', {}, 'disk'],
    ['while the first boot is awaited', { confirm: 'running' }, 'disk'],
    ['when the first boot was not reported', { confirm: 'needs-attention' }, 'disk'],
    ['when verifying was skipped', { verify: 'skipped' }, 'disk'],
    ['not while the machine leaves', { handoff: 'running', confirm: 'waiting' }, 'installer'],
    ['not while it is written', { write: 'running', verify: 'waiting', handoff: 'waiting' }, 'installer'],
    ['not when it is written once more, after all was done', { write: 'running' }, 'installer'],
    ['not when writing failed', { write: 'needs-attention', handoff: 'waiting' }, 'installer'],
  ])('%s', (_when, changes, expected) => {
    expect(bootTarget(phases(changes))).toBe(expected);
  });
});

describe('what is told', () => {
  it('is a token only where an operator has said so, as it is now', async () => {
    const tokenFile = join(root, 'token');
    const machine = `?uuid=${randomUUID()}`;
    const told = endpoint({ tokenFile, server: 'https://gw.example:443', commandLine: 'console=ttyS0' });
    expect(await script(machine, told)).toMatch(/^500 /);
    expect(await script(machine, told)).not.toContain(root);
    await writeFile(tokenFile, `${TOKEN}\n`);
    expect(await script(machine, told)).toContain(
      `iguana.server=https://gw.example:443 iguana.ca=${CA} iguana.token=${TOKEN} console=ttyS0 ||`,
    );
    expect(await script(machine)).not.toContain('iguana.token');
  });

  it.each([
    ['no machine', '?uuid=&mac='],
    ['a UUID that many machines have', '?uuid=03000200-0400-0500-0006-000700080009'],
    ['two machines', `?uuid=${randomUUID()}&uuid=${randomUUID()}`],
    ['something long', `?uuid=${'x'.repeat(65)}`],
    ['a path', '?mac=../../keys'],
  ])('is nothing to %s', async (_what, query) => {
    expect(await script(query)).toMatch(/^400 /);
  });

  it('is nothing to a host name that is none', async () => {
    const { statusCode } = await endpoint().inject({
      url: `/boot/ipxe?uuid=${randomUUID()}`,
      headers: { host: 'a b' },
    });
    expect(statusCode).toBe(400);
  });
});

describe('files', () => {
  const image = randomBytes(100_000);
  beforeAll(() => writeFile(join(root, 'iguana.efi'), image));

  it('come whole, in ranges, and as firmware asks for their size', async () => {
    const url = '/boot/iguana.efi';
    const head = await endpoint().inject({ url, method: 'HEAD' });
    expect(head.headers).toMatchObject({ 'content-length': '100000', 'content-type': 'application/efi' });
    expect((await endpoint().inject({ url })).rawPayload.equals(image)).toBe(true);
    const part = await endpoint().inject({ url, headers: { range: 'bytes=1000-1999' } });
    expect(part.statusCode).toBe(206);
    expect(part.rawPayload.equals(image.subarray(1000, 2000))).toBe(true);
  });

  it.each(['token', 'vmlinuz', '..%2fkeys.json', 'boots', 'constructor', '', 'iguana.efi/'])(
    'that are none of the boot image, or not there, do not come: %s',
    async (name) => {
      await writeFile(join(root, 'token'), TOKEN);
      expect((await endpoint().inject({ url: `/boot/${name}` })).statusCode).toBe(404);
    },
  );
});

it('is wanted where a folder is named, and every wrong word is told', () => {
  expect(gatewaySettings({}).boot).toBeUndefined();
  expect(gatewaySettings({ IGUANA_BOOT_FOLDER: '/srv/boot' }).boot).toEqual({
    folder: '/srv/boot',
    host: '127.0.0.1',
    port: 7282,
    commandLine: 'quiet',
  });
  expect(() =>
    gatewaySettings({
      IGUANA_BOOT_FOLDER: 'boot',
      IGUANA_BOOT_SERVER: 'http://a',
      IGUANA_BOOT_CMDLINE: 'a\nboot',
    }),
  ).toThrow(/IGUANA_BOOT_FOLDER: it is no absolute path; IGUANA_BOOT_SERVER: .*; IGUANA_BOOT_CMDLINE: /);
});
