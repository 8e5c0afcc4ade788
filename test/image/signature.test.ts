/** Signatures, made and judged by cosign itself, in real registries. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../image/digest.ts';
import { signatureTag } from '../../image/signature/manifest.ts';
import { type PrivateKey, readPrivateKey, WrongPassword } from '../../image/signature/private-key.ts';
import { BadKey, type PublicKey, parsePublicKey, readPublicKey } from '../../image/signature/public-key.ts';
import { signImage } from '../../image/signature/sign.ts';
import { verifySignature } from '../../image/signature/verify.ts';
import { copyImage } from '../../image/transfer/copy.ts';
import { type Cosign, cosign as getCosign } from './cosign/cosign.ts';
import { folderWith } from './servers/folder.ts';
import { type SampleLayout, sampleLayout } from './servers/layout.ts';
import { startNginx } from './servers/nginx.ts';
import { type Registry, startRegistry } from './servers/registry.ts';
import { closing, openRegistry, openTarget, openWeb } from './servers/sources.ts';

const PASSWORD = 'p4ss phrase';
const plain = { plainHttp: true };

let cosign: Cosign;
let registry: Registry;
let keys: Record<'ours' | 'theirs', { private: PrivateKey; public: PublicKey; folder: string }>;

/** A pair of keys by cosign. */
async function keyPair() {
  const folder = folderWith();
  const { exitCode, said } = await cosign(['generate-key-pair'], {
    cwd: folder,
    env: { COSIGN_PASSWORD: PASSWORD },
  });
  expect(said).toContain('cosign.pub');
  expect(exitCode).toBe(0);
  return {
    folder,
    private: await readPrivateKey(join(folder, 'cosign.key'), async () => PASSWORD),
    public: await readPublicKey(join(folder, 'cosign.pub')),
  };
}

beforeAll(async () => {
  cosign = await getCosign();
  registry = await startRegistry();
  keys = { ours: await keyPair(), theirs: await keyPair() };
});

/** A new image in a new repository. */
async function pushed(): Promise<{ reference: string; digest: Digest; layout: SampleLayout }> {
  const layout = sampleLayout();
  const { url } = await startNginx(layout.folder);
  const reference = `docker://${registry.host}/signed/${randomBytes(6).toString('hex')}`;
  await using source = closing(openWeb(url));
  await using target = closing(openTarget(reference, plain));
  await copyImage(source, target, { tag: 'latest' });
  return { reference, digest: layout.digest, layout };
}

async function sign(reference: string, key: PrivateKey, identity = reference.slice('docker://'.length)) {
  await using source = closing(openRegistry(reference, plain));
  await using target = closing(openTarget(reference, plain));
  return await signImage({ source, target }, { key, identity });
}

async function verify(reference: string, trusted: readonly PublicKey[], identity?: string) {
  await using source = closing(openRegistry(reference, plain));
  const { digest } = await source.manifest();
  return await verifySignature(source, digest, { keys: trusted, identity });
}

const cosignVerify = (key: string, reference: string) =>
  cosign([
    'verify',
    '--key',
    key,
    '--insecure-ignore-tlog=true',
    '--allow-http-registry',
    reference.slice('docker://'.length),
  ]);

describe('a signature by us', () => {
  it('is verified by cosign, and by us with the signer named', async () => {
    const { reference, digest } = await pushed();
    const made = await sign(reference, keys.ours.private);
    expect(made).toMatchObject({ digest, keyId: keys.ours.public.id });
    const judged = await cosignVerify(join(keys.ours.folder, 'cosign.pub'), reference);
    expect(judged.said).toContain(digest);
    expect(judged.exitCode).toBe(0);
    const another = await cosignVerify(join(keys.theirs.folder, 'cosign.pub'), reference);
    expect(another.exitCode).not.toBe(0);
    expect(await verify(reference, [keys.theirs.public, keys.ours.public])).toEqual({
      keyId: keys.ours.public.id,
      keyName: join(keys.ours.folder, 'cosign.pub'),
      identity: reference.slice('docker://'.length),
    });
  });

  it('stays beside those of others, and is not doubled', async () => {
    const { reference, digest } = await pushed();
    await sign(reference, keys.theirs.private);
    await sign(reference, keys.ours.private);
    for (const { folder, public: key } of Object.values(keys)) {
      expect((await cosignVerify(join(folder, 'cosign.pub'), reference)).exitCode).toBe(0);
      expect(await verify(reference, [key])).toMatchObject({ keyId: key.id });
    }
    await using source = closing(openRegistry(reference, plain));
    const manifest = await source.attached(signatureTag(digest));
    expect(JSON.parse(String(manifest?.bytes)).layers.length).toBe(2);
  });

  it('travels with the image: copied by skopeo, verified by cosign', async () => {
    const { reference, digest } = await pushed();
    await sign(reference, keys.ours.private);
    const copy = `docker://${registry.host}/copied/${randomBytes(6).toString('hex')}`;
    for (const tag of ['latest', signatureTag(digest)]) {
      const ends = [`${reference}:${tag}`, `${copy}:${tag}`];
      await execa('skopeo', [
        'copy',
        '--insecure-policy',
        '--src-tls-verify=false',
        '--dest-tls-verify=false',
        ...ends,
      ]);
    }
    expect((await cosignVerify(join(keys.ours.folder, 'cosign.pub'), copy)).exitCode).toBe(0);
    expect(await verify(copy, [keys.ours.public])).toMatchObject({ keyId: keys.ours.public.id });
  });

  it('is copied with the image, and joins what is there', async () => {
    const { reference } = await pushed();
    await sign(reference, keys.ours.private);
    const copy = `docker://${registry.host}/copied/${randomBytes(6).toString('hex')}`;
    for (const _ of [1, 2]) {
      await using source = closing(openRegistry(reference, plain));
      await using target = closing(openTarget(copy, plain));
      expect((await copyImage(source, target, { tag: 'latest' })).signed).toBe(true);
      await sign(copy, keys.theirs.private);
    }
    expect((await cosignVerify(join(keys.ours.folder, 'cosign.pub'), copy)).exitCode).toBe(0);
    expect((await cosignVerify(join(keys.theirs.folder, 'cosign.pub'), copy)).exitCode).toBe(0);
  });
});

describe('a signature by cosign', () => {
  it('is verified, also with several', async () => {
    const { reference, digest } = await pushed();
    const name = `${reference.slice('docker://'.length)}@${digest}`;
    for (const { folder } of Object.values(keys)) {
      const { exitCode, said } = await cosign(
        [
          'sign',
          '--key',
          join(folder, 'cosign.key'),
          '--tlog-upload=false',
          '--allow-http-registry',
          '--yes',
          name,
        ],
        { env: { COSIGN_PASSWORD: PASSWORD } },
      );
      expect(said).not.toContain('rror');
      expect(exitCode).toBe(0);
    }
    for (const { public: key } of Object.values(keys)) {
      expect(await verify(reference, [key])).toMatchObject({ keyId: key.id });
    }
    await expect(verify(reference, [(await keyPair()).public])).rejects.toMatchObject({
      name: 'SignedByAnotherKey',
      message: expect.stringContaining('2 signatures'),
    });
  });
});

describe('an image is refused', () => {
  it('where it is unsigned', async () => {
    const { reference, digest } = await pushed();
    await expect(verify(reference, [keys.ours.public])).rejects.toMatchObject({
      name: 'Unsigned',
      digest,
      source: reference.includes(':latest') ? reference : `${reference}:latest`,
      keyIds: [keys.ours.public.id],
    });
  });

  it('where another key signed it, and where no key is trusted at all', async () => {
    const { reference } = await pushed();
    await sign(reference, keys.theirs.private);
    await expect(verify(reference, [keys.ours.public])).rejects.toMatchObject({ name: 'SignedByAnotherKey' });
    await expect(verify(reference, [])).rejects.toMatchObject({ name: 'SignedByAnotherKey' });
  });

  it('where the signature is of another image', async () => {
    const [ours, other] = [await pushed(), await pushed()];
    await sign(other.reference, keys.ours.private);
    // The signature of the other image is put where that of this one is looked for.
    const ends = [
      `${other.reference}:${signatureTag(other.digest)}`,
      `${ours.reference}:${signatureTag(ours.digest)}`,
    ];
    await execa('skopeo', [
      'copy',
      '--insecure-policy',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      ...ends,
    ]);
    await expect(verify(ours.reference, [keys.ours.public])).rejects.toMatchObject({
      name: 'SignatureOfAnotherImage',
      digest: ours.digest,
      found: other.digest,
    });
    expect((await cosignVerify(join(keys.ours.folder, 'cosign.pub'), ours.reference)).exitCode).not.toBe(0);
  });

  it('where it was signed under another name than the one demanded', async () => {
    const { reference } = await pushed();
    await sign(reference, keys.ours.private, 'registry.example/os/debian');
    expect(await verify(reference, [keys.ours.public], 'registry.example/os/debian')).toBeDefined();
    await expect(verify(reference, [keys.ours.public], 'registry.example/os/other')).rejects.toMatchObject({
      name: 'SignatureOfAnotherImage',
      found: 'registry.example/os/debian',
    });
  });

  it.each([
    ['is no base64 of a signature', 'AAAA'],
    ['is empty', ''],
    ['is cut', 'half'],
    ['is of other bytes', 'flip'],
  ])('where the signature %s', async (_what, wrong) => {
    const { reference, digest } = await pushed();
    await sign(reference, keys.ours.private);
    await using source = closing(openRegistry(reference, plain));
    await using target = closing(openTarget(reference, plain));
    const tag = signatureTag(digest);
    const there = await source.attached(tag);
    const text = String(there?.bytes).replace(
      /(cosign\/signature":")([^"]*)/,
      (_all, before: string, base64: string) => {
        const bytes = Buffer.from(base64, 'base64');
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        const damaged =
          wrong === 'half' ? base64.slice(0, 40) : wrong === 'flip' ? bytes.toString('base64') : wrong;
        return `${before}${damaged}`;
      },
    );
    const bytes = Buffer.from(text);
    const { digestOf } = await import('../../image/digest.ts');
    await target.putManifest({ bytes, digest: digestOf(bytes), mediaType: there?.mediaType ?? '' }, tag);
    await expect(verify(reference, [keys.ours.public])).rejects.toMatchObject({ name: 'SignedByAnotherKey' });
  });
});

describe('keys', () => {
  it('of cosign open with their password only, and no error holds it', async () => {
    const path = join(keys.ours.folder, 'cosign.key');
    const error = await readPrivateKey(path, async () => 'wr0ng').catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(WrongPassword);
    expect(String(error)).not.toContain('wr0ng');
    expect(String(error)).toContain(path);
  });

  it('of OpenSSL work too, and cosign agrees', async () => {
    const folder = folderWith();
    const [key, pub] = [join(folder, 'key.pem'), join(folder, 'key.pub')];
    await execa('openssl', [
      'genpkey',
      '-algorithm',
      'EC',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-out',
      key,
    ]);
    await execa('openssl', ['pkey', '-in', key, '-pubout', '-out', pub]);
    const { reference } = await pushed();
    await sign(reference, await readPrivateKey(key, async () => 'not asked'));
    expect((await cosignVerify(pub, reference)).exitCode).toBe(0);
    expect((await readPublicKey(pub)).id).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it.each([
    ['another curve', generateKeyPairSync('ec', { namedCurve: 'secp384r1' })],
    ['Ed25519', generateKeyPairSync('ed25519')],
  ])('of %s are refused', (_what, { publicKey }) => {
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(() => parsePublicKey(pem, 'x.pub')).toThrow(BadKey);
    expect(() => parsePublicKey(pem, 'x.pub')).toThrow(/x\.pub: expected ECDSA on P-256, found/);
  });

  it('that are none are refused without showing what they are', async () => {
    const folder = folderWith({ 'no.key': 's3cret', 'half.key': '' });
    const whole = await readFile(join(keys.ours.folder, 'cosign.key'), 'utf8');
    await writeFile(join(folder, 'half.key'), whole.replace(/^(-+BEGIN.*-+\n.{40})[^-]*/, '$1\n'));
    for (const name of ['no.key', 'half.key', 'missing.key']) {
      const error = await readPrivateKey(join(folder, name), async () => PASSWORD).catch(
        (failure: unknown) => failure,
      );
      expect(error).toBeInstanceOf(BadKey);
      expect(String(error)).not.toContain('s3cret');
      expect(String(error)).toContain(join(folder, name));
    }
    // A private key where a public one belongs.
    await expect(readPublicKey(join(keys.ours.folder, 'cosign.key'))).rejects.toThrow(BadKey);
  });
});
