/** `iguana image push | pull | sign` as people use them, and a whole way from a filesystem to a disk; cosign and skopeo judge. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { CommandLine } from '../client/command.ts';
import { type Cosign, cosign as getCosign } from './cosign/cosign.ts';
import { makeCertificates } from './servers/certificates.ts';
import { startFaulty } from './servers/faulty.ts';
import { folderWith } from './servers/folder.ts';
import { type SampleLayout, sampleLayout } from './servers/layout.ts';
import { startNginx } from './servers/nginx.ts';
import { type Registry, startRegistry, USER } from './servers/registry.ts';

const PASSWORD = 'p4ss phrase';
const iguana = new CommandLine({ COSIGN_PASSWORD: PASSWORD });

let cosign: Cosign;
let registry: Registry;
let keys: string;
beforeAll(async () => {
  cosign = await getCosign();
  registry = await startRegistry();
  keys = folderWith();
  await cosign(['generate-key-pair'], { cwd: keys, env: { COSIGN_PASSWORD: PASSWORD } });
});

const blobsOf = async (folder: string) => (await readdir(join(folder, 'blobs/sha256'))).toSorted();

async function succeeds(args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await iguana.run(args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe('an image', () => {
  it('is packed, signed, pushed, copied by skopeo, verified by cosign, and written from the copy', async () => {
    const tree = folderWith({ system: randomBytes(3 * 2 ** 20) });
    const folder = folderWith();
    const [raw, packed] = [join(folder, 'root.img'), `oci:${join(folder, 'layout')}:1.2`];
    await execa('mke2fs', ['-q', '-t', 'ext4', '-d', tree, raw, '24M']);
    const [key, pub] = [join(keys, 'cosign.key'), join(keys, 'cosign.pub')];
    const name = `${registry.host}/os/web`;
    const [made] = (await iguana.json(['image', 'pack', `root:ext4=${raw}`, packed])).documents;
    const { digest } = made as { digest: string };
    await succeeds(['image', 'sign', packed, '--key', key, '--identity', name]);
    const push = ['image', 'push', packed, `docker://${name}:1.2`, '--plain-http', '--key', pub];
    expect(await iguana.json(push)).toMatchObject({
      status: 0,
      documents: [{ digest, signed: true, signer: { keyName: pub, identity: name } }],
    });

    const copy = `${registry.host}/copied/web`;
    for (const tag of ['1.2', `${digest.replace(':', '-')}.sig`]) {
      const [from, to] = [name, copy].map((repository) => `docker://${repository}:${tag}`);
      const plain = ['--insecure-policy', '--src-tls-verify=false', '--dest-tls-verify=false'];
      await execa('skopeo', ['copy', ...plain, `${from}`, `${to}`]);
    }
    const judged = await cosign([
      ...['verify', '--key', pub, '--insecure-ignore-tlog=true', '--allow-http-registry', `${copy}:1.2`],
    ]);
    expect(judged.exitCode).toBe(0);
    expect(judged.said).toContain(digest);

    const disk = join(folder, 'disk.img');
    await writeFile(disk, Buffer.alloc(24 * 2 ** 20, 'what was there before '));
    const args = ['image', 'write', `docker://${copy}:1.2`, disk, '--yes', '--plain-http', '--key', pub];
    expect(await iguana.json(args)).toMatchObject({
      status: 0,
      documents: [{ digest, readBack: 24 * 2 ** 20, signer: { keyName: pub, identity: name } }],
    });
    await execa('cmp', [raw, disk]);
    await execa('fsck.ext4', ['-fn', disk]);

    // The same from a folder that was pulled from the copy, served as it is.
    const pulled = join(folder, 'pulled');
    const pull = ['image', 'pull', `docker://${copy}:1.2`, `oci:${pulled}:1.2`, '--plain-http'];
    expect(await succeeds([...pull, '--key', pub])).toContain(`signed by ${pub}`);
    expect(await blobsOf(pulled)).toEqual(await blobsOf(join(folder, 'layout')));
    const { url } = await startNginx(pulled);
    const again = join(folder, 'again');
    await succeeds(['image', 'pull', `${url}/.:1.2`, `oci:${again}`, '--key', pub]);
    expect(await blobsOf(again)).toEqual(await blobsOf(pulled));
    // Other tools read what we wrote.
    const { stdout } = await execa('skopeo', ['inspect', '--raw', `oci:${pulled}:1.2`]);
    expect(stdout).toBe(await readFile(join(folder, 'layout/blobs', digest.replace(':', '/')), 'utf8'));
  });

  it('is pulled from a mirror where a server is broken, and only what is missing', async () => {
    const layout = sampleLayout();
    const [broken, good] = [
      await startFaulty(layout.folder, ({ path }) =>
        path.startsWith('/blobs') ? { stopAt: 0.5, and: 'close' } : undefined,
      ),
      await startNginx(layout.folder),
    ];
    const folder = join(folderWith(), 'pulled');
    const pull = ['image', 'pull', broken.url, `oci:${folder}`, '--mirror', good.url];
    await succeeds(pull);
    expect(await blobsOf(folder)).toEqual(await blobsOf(layout.folder));
    const again = await iguana.json(pull);
    expect(again.documents).toMatchObject([{ copiedBytes: 0, signed: false }]);
    // What has been damaged on the disk since is fetched again.
    const path = join(folder, 'blobs/sha256', layout.pack.digest.slice(7));
    const bytes = Buffer.from(layout.pack.bytes);
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    await writeFile(path, bytes);
    expect((await iguana.json(pull)).documents).toMatchObject([{ copiedBytes: layout.pack.sizeBytes }]);
    expect((await readFile(path)).equals(layout.pack.bytes)).toBe(true);
  });

  it('reaches a registry with TLS and users', async () => {
    const tls = await makeCertificates();
    const { host } = await startRegistry({ tls, users: true });
    const layout = sampleLayout();
    const auth = Buffer.from(`${USER.name}:${USER.password}`).toString('base64');
    const folder = folderWith({ 'auth.json': JSON.stringify({ auths: { [host]: { auth } } }) });
    const target = `docker://${host}/os/web`;
    const options = ['--ca', tls.ca, '--authfile', join(folder, 'auth.json')];
    await succeeds(['image', 'push', `oci:${layout.folder}`, target, ...options]);
    await succeeds([
      'image',
      'sign',
      `${target}@${layout.digest}`,
      '--key',
      join(keys, 'cosign.key'),
      ...options,
    ]);
    await succeeds([
      'image',
      'pull',
      target,
      `oci:${folder}/copy:one`,
      ...options,
      '--key',
      join(keys, 'cosign.pub'),
    ]);
  });
});

describe('refusals', () => {
  let layout: SampleLayout;
  let from: string;
  beforeAll(() => {
    layout = sampleLayout();
    from = `oci:${layout.folder}:one`;
  });

  it('of an unsigned image: nothing is written', async () => {
    const folder = join(folderWith(), 'pulled');
    const { status, stderr } = await iguana.run([
      'image',
      'pull',
      from,
      `oci:${folder}`,
      '--key',
      join(keys, 'cosign.pub'),
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain('it is not signed');
    expect(stderr).toContain(layout.digest);
    expect(stderr).toContain(join(keys, 'cosign.pub'));
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });

  it('of an image that another key signed', async () => {
    const other = sampleLayout();
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const pub = join(
      folderWith({ 'other.pub': publicKey.export({ type: 'spki', format: 'pem' }).toString() }),
      'other.pub',
    );
    await succeeds(['image', 'sign', `oci:${other.folder}:one`, '--key', join(keys, 'cosign.key')]);
    const { status, stderr } = await iguana.run([
      'image',
      'pull',
      `oci:${other.folder}:one`,
      `oci:${folderWith()}`,
      '--key',
      pub,
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain('none of its 1 signature is by a trusted key');
    expect(stderr).toContain(pub);
  });

  it('of a wrong password, without showing it', async () => {
    const wrong = new CommandLine({ COSIGN_PASSWORD: 'wr0ng' });
    const { status, stderr } = await wrong.run(['image', 'sign', from, '--key', join(keys, 'cosign.key')]);
    expect(status).toBe(1);
    expect(stderr).toContain('the password is wrong');
    expect(stderr).not.toContain('wr0ng');
  });

  it('of a layout whose blob is missing, with its name', async () => {
    const damaged = sampleLayout();
    await rm(damaged.pack.path);
    const folder = join(folderWith(), 'pulled');
    const { status, stderr } = await iguana.run([
      'image',
      'pull',
      `oci:${damaged.folder}:one`,
      `oci:${folder}:one`,
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain(damaged.pack.digest);
    await expect(readFile(join(folder, 'index.json'))).rejects.toThrow('ENOENT');
  });

  it.each([
    ['a reference that is none', ['pull', 'web', 'oci:x'], 'reading the reference web'],
    ['a push into a folder', ['push', 'oci:a', 'oci:b'], 'docker://'],
    ['a pull into a registry', ['pull', 'oci:a', 'docker://h.example/b'], 'oci:'],
    ['a tag that is none', ['pull', 'oci:a:b c', 'oci:x'], 'no tag'],
    ['a target by digest', ['pull', 'oci:a', `oci:x@sha256:${'0'.repeat(64)}`], 'not a digest'],
    ['an identity without a key', ['pull', 'oci:a', 'oci:x', '--signed-identity', 'b'], '--key'],
  ])('of %s: wrong usage', async (_what, args, words) => {
    const { status, stderr } = await iguana.run(['image', ...args]);
    expect(status).toBe(2);
    expect(stderr).toContain(words);
  });

  it('show no credentials of a reference', async () => {
    const { status, stdout, stderr } = await iguana.run([
      'image',
      'pull',
      'http://anna:s3cret@127.0.0.1:1/x?y',
      'oci:x',
    ]);
    expect(status).toBe(2);
    expect(stdout + stderr).not.toContain('s3cret');
  });
});
