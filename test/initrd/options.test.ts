/** What a machine makes of the words it was started with: the boot image's own script, run as it is. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { embeddedFiles } from '../../host/boot/embedded.ts';
import { folderWith } from '../client/folder.ts';

const SCRIPT = fileURLToPath(new URL('../../initrd/boot/root/usr/lib/iguana/options', import.meta.url));
const CA = `sha256:${'a'.repeat(64)}`;
const TOLD = `quiet iguana.server=https://10.0.0.1:7281 iguana.ca=${CA}`;

async function told(words: string, configuration?: string, files: Readonly<Record<string, string>> = {}) {
  const folder = folderWith({
    cmdline: `${words}\n`,
    ...(configuration && { 'boot.conf': configuration }),
    ...files,
  });
  const run = join(folder, 'run');
  const { exitCode, stdout, stderr } = await execa('sh', [SCRIPT, join(folder, 'cmdline'), folder, run], {
    reject: false,
  });
  const file = (name: string) =>
    existsSync(join(run, name)) ? readFileSync(join(run, name), 'utf8') : undefined;
  return { status: exitCode, said: stdout, stderr, file, run, folder };
}

it('tells the agent where to enrol, and keeps the token to root', async () => {
  const { status, file, run, said } = await told(`${TOLD} iguana.token=s3cret`);
  expect(status).toBe(0);
  expect(file('agent.env')).toContain('IGUANA_GATEWAY=https://10.0.0.1:7281\n');
  expect(file('agent.env')).toContain(`IGUANA_CA_DIGEST=${CA}\n`);
  expect(file('agent.env')).not.toContain('s3cret');
  expect(file('token')).toBe('s3cret\n');
  expect(statSync(join(run, 'token')).mode & 0o777).toBe(0o600);
  expect(statSync(join(run, 'agent.env')).mode & 0o777).toBe(0o600);
  expect(said).not.toContain('s3cret');
  expect(file('debug')).toBeUndefined();
});

it('takes what the boot image knows, and lets the command line say more', async () => {
  const own = `server=https://a.example:7281\nca=${CA}\n`;
  const { status, file } = await told('quiet iguana.server=https://b.example:7281 iguana.watchdog=60', own);
  expect(status).toBe(0);
  expect(file('agent.env')).toContain('IGUANA_GATEWAY=https://b.example:7281\n');
  expect(file('watchdog')).toBe('60\n');
});

it('takes the token that was put into the boot image, where only root reads it', async () => {
  const files = await embeddedFiles({ server: 'https://a.example:7281', ca: CA, token: 's3cret' });
  const own = files.find(({ path }) => path === '/etc/iguana/boot.conf');
  const text = own && 'content' in own.source ? String(own.source.content) : '';
  expect(own?.mode).toBe(0o600);
  const { status, file, said } = await told('quiet', text);
  expect(status).toBe(0);
  expect(file('token')).toBe('s3cret\n');
  expect(said).not.toContain('s3cret');
  expect((await told('iguana.token=other', text)).file('token')).toBe('other\n');
});

it('keeps an agent that is to be pulled, and the wish for a shell', async () => {
  const { file } = await told(`${TOLD} iguana.agent=r.example/agent@${CA} rd.iguana.debug`);
  expect(file('agent-image')).toBe(`r.example/agent@${CA}\n`);
  expect(file('debug')).toBe('');
});

it('has no watchdog where none is wanted', async () => {
  expect((await told(`${TOLD} iguana.watchdog=0`)).file('watchdog')).toBeUndefined();
  expect((await told(TOLD)).file('watchdog')).toBe('3600\n');
});

it('takes no word for a pattern', async () => {
  const { status, file } = await told(`${TOLD} iguana.token=*`);
  expect(status).toBe(0);
  expect(file('token')).toBe('*\n');
});

describe('says what is wrong and what to do, and starts no agent', () => {
  it.each([
    ['nothing', 'quiet', /nobody has told this machine[\s\S]*what to do: boot it with iguana\.server=/],
    ['an address without TLS', `iguana.server=http://a iguana.ca=${CA}`, /no address that begins with https/],
    ['no authority', 'iguana.server=https://a', /iguana\.ca is missing/],
    [
      'an authority that is none',
      'iguana.server=https://a iguana.ca=sha256:12',
      /iguana\.ca=sha256:12 is no digest/,
    ],
    [
      'an authority with other letters',
      `iguana.server=https://a iguana.ca=sha256:${'z'.repeat(64)}`,
      /is no digest/,
    ],
    ['an unknown option', `${TOLD} iguana.tokn=x`, /unknown options: iguana\.tokn/],
    ['a watchdog that is no number', `${TOLD} iguana.watchdog=soon`, /iguana\.watchdog=soon is no number/],
  ])('%s', async (_, words, message) => {
    const { status, said, file } = await told(words);
    expect(status).toBe(1);
    expect(said).toMatch(message);
    expect(said).toContain('what to do:');
    expect(file('agent.env')).toBeUndefined();
  });

  it('another authority than that of the boot image', async () => {
    const { status, said } = await told(
      `quiet iguana.ca=sha256:${'b'.repeat(64)}`,
      `server=https://a\nca=${CA}\n`,
    );
    expect(status).toBe(1);
    expect(said).toContain('is not that of this boot image');
  });
});

describe('rd.iguana.containers of the original Iguana', () => {
  it('names what is run, instead of an agent', async () => {
    const { status, file, said } = await told(`${TOLD} rd.iguana.containers=r.example/a:1,r.example/b@${CA}`);
    expect(status).toBe(0);
    expect(file('containers')).toBe(`r.example/a:1\nr.example/b@${CA}\n`);
    expect(file('agent.env')).toBeUndefined();
    expect(said).toContain('not followed: server https://10.0.0.1:7281');
  });

  it('needs no server', async () => {
    const { status, file } = await told('quiet rd.iguana.containers=r.example/a rd.iguana.debug');
    expect(status).toBe(0);
    expect(file('containers')).toBe('r.example/a\n');
    expect(file('debug')).toBe('');
  });

  it.each(['a,,b', '--help', 'a,-v', 'a;b', '$(b)', ','])('%s is refused', async (names) => {
    const { status, said, file } = await told(`quiet rd.iguana.containers=${names}`);
    expect(status).toBe(1);
    expect(said).toContain(`rd.iguana.containers=${names}: '`);
    expect(said).toContain('what to do: name them as HOST/REPOSITORY:TAG');
    expect(file('containers')).toBeUndefined();
  });
});

describe('rd.iguana.control_url of the original Iguana', () => {
  const URL = 'https://web.example:8443/a/control.yaml?machine=1&x=[2]#3';

  it('names the workflow file that is followed, instead of an agent', async () => {
    const { status, file, said } = await told(`${TOLD} rd.iguana.control_url=${URL} rd.iguana.debug`);
    expect(status).toBe(0);
    expect(file('control')).toBe(`${URL}\n`);
    expect(file('agent.env')).toBeUndefined();
    expect(file('debug')).toBe('');
    expect(said).toContain(`workflow file ${URL}`);
    expect(said).toContain('not followed: server https://10.0.0.1:7281');
  });

  it.each(['http://web.example/control.yaml', 'https://[2001:db8::1]:1/c'])('may be %s', async (url) => {
    expect((await told(`quiet rd.iguana.control_url=${url}`)).file('control')).toBe(`${url}\n`);
  });

  it.each(['', 'file://'])('may be a file of the boot image (%s)', async (scheme) => {
    const path = join(folderWith({ 'a.yaml': 'jobs:' }), 'a.yaml');
    expect((await told(`quiet rd.iguana.control_url=${scheme}${path}`)).file('control')).toBe(`${path}\n`);
  });

  it('tells which agent reads it', async () => {
    const { file } = await told(`quiet rd.iguana.control_url=${URL} iguana.agent=r.example/agent@${CA}`);
    expect(file('agent-image')).toBe(`r.example/agent@${CA}\n`);
  });

  it('is followed rather than containers', async () => {
    const { status, file, said } = await told(
      `quiet rd.iguana.containers=r.example/a rd.iguana.control_url=${URL}`,
    );
    expect(status).toBe(0);
    expect(file('control')).toBe(`${URL}\n`);
    expect(file('containers')).toBeUndefined();
    expect(said).toContain('not followed: rd.iguana.containers=r.example/a, since there is a workflow file');
  });

  it.each([
    'tftp://a/b',
    'control.yaml',
    'https://web.example',
    'https://',
    'https:///a',
    'https://anna:secret@web.example/a',
    'https://web.example/$(reboot)',
    "https://web.example/'",
    'https://web.example/é',
    '/nowhere/control.yaml',
    '/',
    '/proc/self:x',
    '--help',
  ])('%s is refused', async (url) => {
    const { status, said, file } = await told(`quiet rd.iguana.control_url=${url}`);
    expect(status).toBe(1);
    expect(said).toContain(`rd.iguana.control_url=${url} `);
    expect(said).toContain('what to do: give it as https://HOST/PATH');
    expect(file('control')).toBeUndefined();
  });

  it('is not followed beside an option that nobody knows', async () => {
    const { status, said, file } = await told(`quiet rd.iguana.control_url=${URL} rd.iguana.debg`);
    expect(status).toBe(1);
    expect(said).toContain('unknown options: rd.iguana.debg');
    expect(file('control')).toBeUndefined();
  });
});

describe('the workflow file of the boot image', () => {
  const OWN = { 'control.yaml': 'jobs:' };

  it('lies where it is looked for, and only root reads it: environments hold secrets', async () => {
    const files = await embeddedFiles({ control: 'jobs:' });
    const own = files.find(({ path }) => path === '/etc/iguana/control.yaml');
    expect(own).toMatchObject({ source: { content: 'jobs:' }, mode: 0o600 });
  });

  it('is run where nothing else is said', async () => {
    const { status, file, folder } = await told('quiet root=/dev/sda2', undefined, OWN);
    expect(status).toBe(0);
    expect(file('control')).toBe(`${folder}/control.yaml\n`);
  });

  it.each([
    ['the boot image has a server', 'quiet', `server=https://a.example:7281\nca=${CA}\n`],
    ['the command line has a server', TOLD, undefined],
  ])('is not run where %s', async (_, words, configuration) => {
    const { status, file, said } = await told(words, configuration, OWN);
    expect(status).toBe(0);
    expect(file('control')).toBeUndefined();
    expect(file('agent.env')).toBeDefined();
    expect(said).toContain('not followed: the workflow file of this boot image, since it has a server');
  });

  it('is not run where others are named', async () => {
    const { file } = await told('rd.iguana.containers=r.example/a', undefined, OWN);
    expect(file('containers')).toBe('r.example/a\n');
    const other = await told('rd.iguana.control_url=https://web.example/c', undefined, OWN);
    expect(other.file('control')).toBe('https://web.example/c\n');
  });
});
