/** How the boot image gets a workflow file: from real servers, signed, whole, and what it makes of it for its shell. */
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareWorkflow } from '../../activities/workflow-file/prepare.ts';
import { Refused } from '../../activities/workflow-file/refused.ts';
import type { FilePlace } from '../../activities/workflow-file/trust.ts';
import { type Certificates, makeCertificates } from '../image/servers/certificates.ts';
import { type Fault, startFaulty } from '../image/servers/faulty.ts';
import { folderWith } from '../image/servers/folder.ts';
import { startNginx } from '../image/servers/nginx.ts';
import { CONTROL } from '../manifest/workflow-file/published.ts';

const PROGRAM = fileURLToPath(new URL('../../worker/workflow-file.ts', import.meta.url));

const newKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { privateKey, publicKey };
};
const OURS = newKey();
const signatureOf = (text: string, key = OURS.privateKey): string =>
  `${sign('sha256', Buffer.from(text), createPrivateKey(key)).toString('base64')}\n`;

/** @returns why it is refused, with what to do; undefined where it is not */
async function refusal(
  place: FilePlace,
  {
    key = OURS.publicKey,
    plan = join(folderWith(), 'plan'),
  }: { key?: string | undefined; plan?: string } = {},
): Promise<string | undefined> {
  try {
    const limits = { timeoutMs: 1000, pausesMs: [1, 1] };
    await prepareWorkflow({ place, key, limits }, plan);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(Refused);
    expect(existsSync(plan)).toBe(false);
    return `${(error as Refused).message}\nwhat to do: ${(error as Refused).remedy}`;
  }
}

/** A server with these files that misbehaves at one of them. */
async function served(
  files: Readonly<Record<string, string | Buffer>>,
  at = '',
  fault?: Fault,
): Promise<{ place: FilePlace; asked: string[] }> {
  const { url, asked } = await startFaulty(folderWith(files), ({ path }) =>
    path === at ? fault : undefined,
  );
  return { place: { url: new URL('/control.yaml', url) }, asked };
}

const SIGNED = { 'control.yaml': CONTROL, 'control.yaml.sig': signatureOf(CONTROL) };

describe('a workflow file on a web server', () => {
  it('is taken by plain HTTP, where the key of the boot image has signed it', async () => {
    const plan = join(folderWith(), 'plan');
    const { place, asked } = await served(SIGNED);
    expect(await refusal(place, { plan })).toBeUndefined();
    expect(asked).toEqual(['/control.yaml', '/control.yaml.sig']);
    expect(readdirSync(plan)).toEqual(['001', '002']);
  });

  it.each<[string, Record<string, string | Buffer>, RegExp]>([
    ['without signature', { 'control.yaml': CONTROL, 'control.yaml.sig': '' }, /its signature is no base64/],
    [
      'with words for a signature',
      { 'control.yaml': CONTROL, 'control.yaml.sig': '<html>' },
      /its signature is no base64/,
    ],
    [
      'with base64 of something',
      { 'control.yaml': CONTROL, 'control.yaml.sig': 'AAAA' },
      /its signature is of something else/,
    ],
    [
      'signed by another key',
      { 'control.yaml': CONTROL, 'control.yaml.sig': signatureOf(CONTROL, newKey().privateKey) },
      /by another key than that of this boot image \(sha256:[0-9a-f]{64}\)\nwhat to do: sign it/,
    ],
    [
      'changed after it was signed',
      { 'control.yaml': `${CONTROL} `, 'control.yaml.sig': signatureOf(CONTROL) },
      /its signature is of something else/,
    ],
    [
      'too large',
      { 'control.yaml': 'x'.repeat(1024 * 1024 + 1) },
      /it is too large; expected at most 1048576 bytes, found 1048577 bytes/,
    ],
    [
      'with a signature that is too large',
      { 'control.yaml': CONTROL, 'control.yaml.sig': 'A'.repeat(5000) },
      /its signature .*it is too large/,
    ],
  ])('%s is refused', async (_, files, why) => {
    const said = await refusal((await served(files)).place);
    expect(said).toMatch(why);
    expect(said).toContain('what to do: ');
  });

  it.each<[string, string, Fault, RegExp, number]>([
    [
      'is not there',
      '/control.yaml',
      { status: 404 },
      /status 404\nwhat to do: correct rd\.iguana\.control_url/,
      1,
    ],
    [
      'has no signature',
      '/control.yaml.sig',
      { status: 404 },
      /it is not signed: there is no http.*control\.yaml\.sig\nwhat to do: sign it .*cosign sign-blob/,
      2,
    ],
    ['is forbidden', '/control.yaml', { status: 403 }, /status 403/, 1],
    [
      'is answered by an error',
      '/control.yaml',
      { status: 503 },
      /status 503\nwhat to do: look at the network/,
      3,
    ],
    [
      'is elsewhere',
      '/control.yaml',
      { status: 302, headers: 'Location: https://evil.example/\u00e9\r\n' },
      /it redirects to https:\/\/evil\.example\/\?+, which is not followed/,
      1,
    ],
    [
      'has its signature elsewhere',
      '/control.yaml.sig',
      { status: 301, headers: 'Location: /a\r\n' },
      /its signature .*it redirects to \/a/,
      2,
    ],
    ['is cut', '/control.yaml', { stopAt: 0.5, and: 'close' }, /lost|ended early/, 3],
    [
      'falls silent',
      '/control.yaml',
      { stopAt: 0.5, and: 'silence' },
      /no whole answer within 1 s\nwhat to do: look at the network/,
      3,
    ],
    [
      'is longer than it comes',
      '/control.yaml',
      { lengthOff: 5 },
      /no whole answer within 1 s|ended early/,
      3,
    ],
    ['is never answered', '/control.yaml', 'silence', /no whole answer within 1 s/, 3],
    ['has another byte', '/control.yaml', 'flipped', /its signature is of something else/, 2],
  ])('that %s is refused', async (_, at, fault, why, times) => {
    const { place, asked } = await served(SIGNED, at, fault);
    expect(await refusal(place)).toMatch(why);
    // What may pass is tried again.
    expect(asked).toHaveLength(times);
  });

  it('is taken from a server that packs it unasked, and a bomb is not', async () => {
    const root = folderWith(SIGNED);
    const place = async (text: string) => {
      const packed = join(folderWith({ 'control.yaml.gz': gzipSync(text) }), 'control.yaml.gz');
      const location = `location = /control.yaml { alias ${packed}; add_header Content-Encoding gzip; }`;
      const { url } = await startNginx(root, { location: `} ${location} location /x/ {` });
      return { url: new URL('/control.yaml', url) };
    };
    expect(await refusal(await place(CONTROL))).toBeUndefined();
    expect(await refusal(await place(' '.repeat(100 * 1024 * 1024)))).toMatch(/it is too large/);
  });

  it('of a host that nobody knows is refused', async () => {
    const said = await refusal({ url: new URL('http://127.0.0.1:9/control.yaml') });
    expect(said).toMatch(/what to do: look at the network/);
  });

  it('is refused where the boot image has no key', async () => {
    const { place } = await served(SIGNED);
    await expect(prepareWorkflow({ place, key: undefined }, '/nowhere')).rejects.toThrow(
      'this boot image has no key that could have signed it',
    );
    expect(await refusal(place, { key: 'x' })).toMatch(/what to do: make the boot image anew/);
  });

  it('has its signature beside it also where the address has a query', async () => {
    const { url, asked } = await startFaulty(folderWith(), () => ({ status: 404 }));
    await refusal({ url: new URL('/control.yaml?a=b#c', url) });
    const { place } = await served(SIGNED);
    expect(await refusal(place)).toBeUndefined();
    expect(asked).toEqual(['/control.yaml?a=b']);
  });

  it('says every mistake, and where it is', async () => {
    const text = 'jobs:\n  a: {container: {imge: r.example/a}}\n  b: {container: {image: -x}, needs: [c]}\n';
    const said = await refusal(
      (await served({ 'control.yaml': text, 'control.yaml.sig': signatureOf(text) })).place,
    );
    expect(said).toContain(
      '4 mistakes, nothing is run\ncontrol.yaml:2:18: jobs.a.container.image: is missing',
    );
    expect(said).toContain('did you mean "image"?');
    expect(said).toContain('control.yaml:3:39: jobs.b.needs[0]: there is no such job; found "c"');
    expect(said).toContain('what to do: correct the file, and sign it again');
  });
});

describe('a workflow file of the boot image', () => {
  it('needs no signature where it is embedded', async () => {
    const file = join(folderWith({ 'control.yaml': CONTROL }), 'control.yaml');
    expect(await refusal({ file, isEmbedded: true }, { key: undefined })).toBeUndefined();
  });

  it('needs one elsewhere', async () => {
    const file = join(folderWith(SIGNED), 'control.yaml');
    expect(await refusal({ file, isEmbedded: false })).toBeUndefined();
    const unsigned = join(folderWith({ 'control.yaml': CONTROL }), 'control.yaml');
    expect(await refusal({ file: unsigned, isEmbedded: false })).toMatch(
      /it is not signed: there is no \/.*\.sig/,
    );
    expect(await refusal({ file: '/nowhere', isEmbedded: false })).toMatch(/ENOENT/);
  });

  it('is text', async () => {
    const file = join(folderWith({ a: Buffer.from([0x61, 0xff]) }), 'a');
    expect(await refusal({ file, isEmbedded: true })).toMatch(/no text in UTF-8/);
  });
});

it('comes to files that the shell reads, one entry a line', async () => {
  const text = [
    'name: "a\\e[2Jb"',
    'env: {SECRET: s3cret, BOTH: outer, iguana: "true"}',
    'jobs:',
    '  last: {needs: first, container: {image: r.example/last}, steps: [{run: x}]}',
    '  first:',
    '    continue_on_error: true',
    '    container: {image: "r.example/first:1", env: {BOTH: "a b=$(c) \'"}, volumes: ["v:/v", "/dev:/dev", /x]}',
    '    services: {z: {image: r.example/z}, "1": {image: r.example/one, env: {ONE: ""}}}',
  ].join('\n');
  const folder = folderWith({ 'control.yaml': text });
  const plan = join(folder, 'plan');
  const place = { file: join(folder, 'control.yaml'), isEmbedded: true };
  const said = await prepareWorkflow({ place, key: undefined }, plan);
  expect(said).toEqual([
    'workflow "a\\u001b[2Jb", jobs: first, last',
    'not followed: the steps of job last; its container does what it was made for',
  ]);
  const files = Object.fromEntries(
    readdirSync(plan, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(plan, name)).isFile())
      .map((name) => [name, readFileSync(join(plan, name), 'utf8')]),
  );
  expect(files).toEqual({
    '001/id': 'first\n',
    '001/image': 'r.example/first:1\n',
    '001/env': "SECRET=s3cret\nBOTH=a b=$(c) '\n",
    '001/volumes': 'v:/v\n/x\n',
    '001/needs': '',
    '001/continues': '',
    '001/services/001/id': 'z\n',
    '001/services/001/image': 'r.example/z\n',
    '001/services/001/env': 'SECRET=s3cret\nBOTH=outer\n',
    '001/services/001/volumes': '',
    '001/services/002/id': '1\n',
    '001/services/002/image': 'r.example/one\n',
    '001/services/002/env': 'SECRET=s3cret\nBOTH=outer\nONE=\n',
    '001/services/002/volumes': '',
    '002/id': 'last\n',
    '002/image': 'r.example/last\n',
    '002/env': 'SECRET=s3cret\nBOTH=outer\n',
    '002/volumes': '',
    '002/needs': '001\n',
  });
  expect(statSync(plan).mode & 0o777).toBe(0o700);
});

describe('the program in the agent’s container', () => {
  let tls: Certificates;
  let url: string;
  let folder: string;
  beforeAll(async () => {
    tls = await makeCertificates();
    folder = folderWith({ ...SIGNED, 'key.pub': OURS.publicKey });
    ({ url } = await startNginx(folder, { tls }));
  });

  const run = async (words: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const plan = join(folderWith(), 'plan');
    const { exitCode, stdout, stderr } = await execa(process.execPath, [PROGRAM, '--plan', plan, ...words], {
      reject: false,
      env,
    });
    return { status: exitCode, stdout, stderr, isPlanned: existsSync(plan) };
  };

  it('takes a file by HTTPS from a server whose authority the boot image has', async () => {
    const words = ['--key', join(folder, 'key.pub'), `${url}/control.yaml`];
    expect(await run(words, { NODE_EXTRA_CA_CERTS: tls.ca })).toEqual({
      status: 0,
      stdout:
        'workflow "Test installation control YAML", jobs: dinstaller, busybox\n' +
        'not followed: the steps of job busybox; its container does what it was made for',
      stderr: '',
      isPlanned: true,
    });
  });

  it('refuses a server of another authority, or of another name', async () => {
    const words = ['--key', join(folder, 'key.pub')];
    const unknown = await run([...words, `${url}/control.yaml`]);
    expect(unknown).toMatchObject({ status: 2, isPlanned: false });
    expect(unknown.stdout).toMatch(
      /^refusing the workflow file https:.*no secure connection: .*\nwhat to do: .*--registry-ca/s,
    );
    const named = await run([...words, `${url.replace('127.0.0.1', 'localhost')}/control.yaml`], {
      NODE_EXTRA_CA_CERTS: tls.ca,
    });
    expect(named.stdout).toMatch(/no secure connection: .*ERR_TLS_CERT_ALTNAME_INVALID/s);
  });

  it('refuses what is no address, and says so', async () => {
    for (const address of ['tftp://a/b', 'https://anna:secret@a/b', 'x', '']) {
      const { status, stdout } = await run(['--', address]);
      expect(status).toBe(2);
      expect(stdout).toMatch(/is no address https:\/\/HOST\/PATH without user/);
    }
  });

  it('takes the embedded file', async () => {
    writeFileSync(join(folder, 'own.yaml'), 'jobs: {a: {container: {image: r.example/a}}}');
    const { status, stdout } = await run(['--file', join(folder, 'own.yaml'), '--embedded']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'workflow jobs: a' });
  });
});
