/** Images in a real registry (Debian's docker-registry), copied on by skopeo and oras. */
import { mkdirSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../image/digest.ts';
import type { PushOptions } from '../../image/registry/target.ts';
import { NotFound, TlsFailure, WrongContent } from '../../image/source/errors.ts';
import { copyImage } from '../../image/transfer/copy.ts';
import { oras } from './oras/oras.ts';
import { makeCertificates } from './servers/certificates.ts';
import { startFaulty } from './servers/faulty.ts';
import { folderWith } from './servers/folder.ts';
import { type SampleLayout, sampleLayout } from './servers/layout.ts';
import { startNginx } from './servers/nginx.ts';
import { type Registry, startRegistry, USER } from './servers/registry.ts';
import { closing, failureOf, openRegistry, openTarget, openWeb } from './servers/sources.ts';
import { startTokenServer } from './servers/token-server.ts';

let layout: SampleLayout;
let web: string;
beforeAll(async () => {
  layout = sampleLayout();
  ({ url: web } = await startNginx(layout.folder));
});

/** Pushes the sample, as `one`. */
async function push(reference: string, options: PushOptions) {
  await using source = closing(openWeb(web));
  await using target = closing(openTarget(reference, options));
  return await copyImage(source, target, { tag: 'one' });
}

const authFile = (host: string, password = USER.password): string =>
  join(
    folderWith({
      'auth.json': JSON.stringify({
        auths: { [host]: { auth: Buffer.from(`${USER.name}:${password}`).toString('base64') } },
      }),
    }),
    'auth.json',
  );

describe('a registry', () => {
  const plain = { plainHttp: true };
  let registry: Registry;
  let repository: string;
  beforeAll(async () => {
    registry = await startRegistry();
    repository = `docker://${registry.host}/os/debian`;
    await push(repository, plain);
  });

  it('gives back what was pushed', async () => {
    for (const reference of [`${repository}:one`, `${repository}@${layout.digest}`]) {
      await using source = closing(openRegistry(reference, plain));
      expect((await source.manifest()).digest).toBe(layout.digest);
      expect((await source.blob(layout.pack)).equals(layout.pack.bytes)).toBe(true);
      const range = await source.range(layout.pack, 12_345, 1 << 20);
      expect(range.equals(layout.pack.bytes.subarray(12_345, 12_345 + (1 << 20)))).toBe(true);
    }
  });

  it('has it for skopeo, which copies it without changing a byte', async () => {
    const folder = folderWith();
    const from = `${repository}:one`;
    await execa('skopeo', [
      'copy',
      '--insecure-policy',
      '--src-tls-verify=false',
      from,
      `oci:${folder}/copy:one`,
    ]);
    expect((await readdir(join(folder, 'copy/blobs/sha256'))).toSorted()).toEqual(
      (await readdir(join(layout.folder, 'blobs/sha256'))).toSorted(),
    );
    const copied = join(folder, 'copy/blobs/sha256', layout.pack.digest.slice(7));
    expect((await readFile(copied)).equals(layout.pack.bytes)).toBe(true);
    // And back: what skopeo pushed is read by us.
    const back = `docker://${registry.host}/from/skopeo:one`;
    await execa('skopeo', [
      'copy',
      '--insecure-policy',
      '--dest-tls-verify=false',
      `oci:${folder}/copy:one`,
      back,
    ]);
    await using source = closing(openRegistry(back, plain));
    expect((await source.manifest()).digest).toBe(layout.digest);
  });

  it('has it for oras, which copies it into a layout and back', { timeout: 600_000 }, async () => {
    const run = await oras();
    const folder = join(folderWith(), 'copy');
    const plainly = (reference: string) => reference.replace('docker://', '');
    const there = [
      'copy',
      '--from-plain-http',
      plainly(`${repository}:one`),
      '--to-oci-layout',
      `${folder}:one`,
    ];
    expect(await run(there)).toMatchObject({ exitCode: 0 });
    const copied = join(folder, 'blobs/sha256', layout.pack.digest.slice(7));
    expect((await readFile(copied)).equals(layout.pack.bytes)).toBe(true);
    const back = `docker://${registry.host}/from/oras:one`;
    const again = ['copy', '--from-oci-layout', `${folder}:one`, '--to-plain-http', plainly(back)];
    expect(await run(again)).toMatchObject({ exitCode: 0 });
    await using source = closing(openRegistry(back, plain));
    expect((await source.manifest()).digest).toBe(layout.digest);
  });

  it('is not sent what it has', async () => {
    const again = await push(repository, plain);
    expect(again).toMatchObject({ digest: layout.digest, blobs: 3, copiedBytes: 0, signed: false });
    expect(again.totalBytes).toBeGreaterThan(layout.pack.sizeBytes);
  });

  it('mounts what another of its repositories has', async () => {
    const other = `docker://${registry.host}/os/other`;
    expect(await push(other, { ...plain, mountFrom: 'os/debian' })).toMatchObject({ copiedBytes: 0 });
    await using source = closing(openRegistry(`${other}:one`, plain));
    expect((await source.blob(layout.pack)).equals(layout.pack.bytes)).toBe(true);
    // From one that does not exist it is sent.
    const third = `docker://${registry.host}/os/third`;
    const sent = await push(third, { ...plain, mountFrom: 'os/nothing' });
    expect(sent.copiedBytes).toBe(sent.totalBytes);
  });

  it('says what is not there', async () => {
    await using source = closing(openRegistry(`${repository}:two`, plain));
    const manifest = await failureOf(source.manifest());
    expect(manifest).toBeInstanceOf(NotFound);
    expect(manifest.message).toContain(`${repository}:two`);
    expect(await source.attached('three')).toBeUndefined();
    const missing = { digest: digestOf('missing'), sizeBytes: 7 };
    expect(await failureOf(source.blob(missing))).toMatchObject({ name: 'NotFound', blob: missing.digest });
  });

  it('does not get a blob that is damaged at its source, nor the manifest that names it', async () => {
    const damaged = await startFaulty(layout.folder, ({ path }) =>
      path.includes(layout.pack.digest.slice(7)) ? 'flipped' : undefined,
    );
    await using source = closing(openWeb(damaged.url));
    await using target = closing(openTarget(`docker://${registry.host}/os/damaged`, plain));
    const failure = await failureOf(copyImage(source, target, { tag: 'one' }));
    expect(failure).toBeInstanceOf(WrongContent);
    expect(failure).toMatchObject({ source: `${damaged.url}/`, blob: layout.pack.digest });
    expect(await target.findManifest('one')).toBeUndefined();
  });

  it('whose storage is damaged is found out', async () => {
    const other = await startRegistry();
    const reference = `docker://${other.host}/os/debian:one`;
    await push(reference, plain);
    const hex = layout.pack.digest.slice(7);
    const stored = join(other.storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    const bytes = Buffer.from(layout.pack.bytes);
    bytes[77] = (bytes[77] ?? 0) ^ 1;
    await writeFile(stored, bytes);
    await using source = closing(openRegistry(reference, plain));
    expect(await failureOf(source.blob(layout.pack))).toBeInstanceOf(WrongContent);
    await writeFile(stored, bytes.subarray(0, 100));
    expect(await failureOf(source.blob(layout.pack))).toBeInstanceOf(WrongContent);
    expect(await failureOf(source.range(layout.pack, 0, 4096))).toBeInstanceOf(WrongContent);
  });
});

describe('a registry with TLS and users', () => {
  it('is read and written with an authority and credentials of our own', async () => {
    const tls = await makeCertificates();
    const { host } = await startRegistry({ tls, users: true });
    const reference = `docker://${host}/os/debian:one`;
    const options = { caFile: tls.ca, authFile: authFile(host) };
    await push(reference, options);
    await using source = closing(openRegistry(reference, options));
    expect((await source.manifest()).digest).toBe(layout.digest);

    // The folder that skopeo and podman would take, with the file where they look.
    const certDir = folderWith({ 'ours.crt': await readFile(tls.ca) });
    const runtime = folderWith();
    mkdirSync(join(runtime, 'containers'));
    await writeFile(join(runtime, 'containers/auth.json'), await readFile(options.authFile));
    await using usual = closing(
      openRegistry(reference, { certDir, env: { XDG_RUNTIME_DIR: runtime, HOME: runtime } }),
    );
    expect((await usual.manifest()).digest).toBe(layout.digest);

    await using untrusted = closing(openRegistry(reference, { authFile: options.authFile }));
    expect(await failureOf(untrusted.manifest())).toBeInstanceOf(TlsFailure);
    const from = ['--src-cert-dir', certDir, '--src-authfile', options.authFile, reference];
    await execa('skopeo', ['copy', '--insecure-policy', ...from, `oci:${folderWith()}:one`]);
  });

  it('refuses those without credentials, and with wrong ones, and no message holds a secret', async () => {
    const { host } = await startRegistry({ users: true });
    const plainHttp = true;
    const reference = `docker://${host}/os/debian:one`;
    const empty = folderWith();
    const none = { plainHttp, env: { HOME: empty, XDG_RUNTIME_DIR: empty } };
    await using anonymous = closing(openRegistry(reference, none));
    const missing = await failureOf(anonymous.manifest());
    expect(missing.name).toBe('AccessDenied');
    expect(missing.message).toContain(`${host}/os/debian`);
    expect(missing.message).toContain('credentials');
    const wrong = { plainHttp, authFile: authFile(host, 's3cret-but-wrong') };
    for (const failing of [
      () => openRegistry(reference, wrong).manifest(),
      () => push(reference, wrong),
      () => push(reference, none),
    ]) {
      const failure = await failureOf(failing());
      expect(failure.name).toBe('AccessDenied');
      expect(everything(failure)).not.toContain('s3cret');
      expect(everything(failure)).not.toContain(
        Buffer.from(`${USER.name}:s3cret-but-wrong`).toString('base64'),
      );
    }
  });
});

describe('a registry with a token server', () => {
  it('gets tokens for what is done, and no others', async () => {
    const server = await startTokenServer(USER);
    const { host } = await startRegistry({ token: server.registryConfiguration });
    const reference = `docker://${host}/os/debian:one`;
    const options = { plainHttp: true, authFile: authFile(host) };
    await push(reference, options);
    await push(`docker://${host}/os/other`, { ...options, mountFrom: 'os/debian' });
    await using source = closing(openRegistry(reference, options));
    await source.manifest();
    await source.range(layout.pack, 0, 10);
    await source.range(layout.pack, 10, 10);
    expect(server.scopes).toEqual([
      'repository:os/debian:pull,push',
      // Mounting is asked for blob by blob, and its token is kept too.
      'repository:os/other:pull,push',
      'repository:os/other:pull,push repository:os/debian:pull',
      // One token serves all three requests.
      'repository:os/debian:pull',
    ]);
    const wrong = { plainHttp: true, authFile: authFile(host, 's3cret-but-wrong') };
    const failure = await failureOf(openRegistry(reference, wrong).manifest());
    expect(failure.name).toBe('AccessDenied');
    expect(failure.message).toContain(`user ${USER.name}`);
    expect(everything(failure)).not.toContain('s3cret');
  });
});

/** All that an error holds and says, its causes too. */
function everything(error: Error): string {
  const parts: unknown[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    parts.push(at.message, at.stack, JSON.stringify(at));
  }
  return parts.join('\n');
}
