/** Images that were built elsewhere: fetched from a real registry into the store, or refused. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../image/digest.ts';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import type { ImageRecord } from '../../store/image-record.ts';
import { ImageStore } from '../../store/store.ts';
import { storeRoot } from '../../store/store-root.ts';
import { CommandLine } from '../client/command.ts';
import { folderWith } from '../image/servers/folder.ts';
import { type Registry, startRegistry } from '../image/servers/registry.ts';
import { ESP, espArchive, FILES, fileList } from '../store/harness/content.ts';
import { type Builder, failureOf, makeBuilder, tinyImage } from './harness/images.ts';
import { leftovers } from './harness/leftovers.ts';

type From = NonNullable<ManifestImage['from']>;

const SBOM = { bomFormat: 'CycloneDX', components: [{ name: 'bash' }, { name: 'dash' }] };

/** Where the image was built. */
const elsewhere = new CommandLine();
const storeThere = new ImageStore(join(elsewhere.state, 'store'));
let record: ImageRecord;
let registry: Registry;
let publicKey: string;
let builder: Builder;

const say = async (args: readonly string[]): Promise<void> => {
  const { status, stderr } = await elsewhere.run(args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
};

/** What a case changes of the sample. */
interface Sample {
  readonly name?: string;
  readonly esp?: Buffer;
  readonly files?: Buffer;
}

async function storeSample({ name = 'sample', esp, files }: Sample = {}): Promise<ImageRecord> {
  await storeThere.prepare();
  const put = async (name: string, content: string | Buffer) => {
    await writeFile(join(storeThere.workFolder, name), content);
    return await storeThere.put(join(storeThere.workFolder, name));
  };
  const path = join(storeThere.workFolder, 'root.img');
  await writeFile(path, Buffer.concat([Buffer.alloc(300_000, 'root'), Buffer.alloc(4 * 2 ** 20)]));
  const attachments = {
    esp: await put('esp', esp ?? (await espArchive())),
    files: await put('files', files ?? (await fileList())),
    sbom: await put('sbom', JSON.stringify(SBOM)),
  };
  const folder = join(storeThere.workFolder, 'pack');
  const root = await storeRoot(storeThere, { path, filesystem: 'ext4', attachments, folder });
  const made: ImageRecord = {
    version: 3,
    imageDigest: digestOf(name),
    ...root,
    packageCount: SBOM.components.length,
    createdAt: new Date().toISOString(),
  };
  await storeThere.commit(made);
  return made;
}

async function push({ imageDigest }: ImageRecord, name: string): Promise<void> {
  const stored = `store:${imageDigest.slice('sha256:'.length, 'sha256:'.length + 12)}`;
  await say(['image', 'push', stored, place(name), '--plain-http']);
}

const place = (name: string): string => `docker://${registry.host}/os/${name}`;

beforeAll(async () => {
  [record, registry] = [await storeSample(), await startRegistry()];
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' });
  const key = join(folderWith(), 'release.key');
  await writeFile(key, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  for (const name of ['web', 'unsigned']) await push(record, name);
  await say(['image', 'sign', place('web'), '--key', key, '--identity', 'os/web', '--plain-http']);
});
beforeEach(async () => {
  builder = await makeBuilder();
  return () => builder.remove();
});
afterAll(() => rm(elsewhere.state, { recursive: true, force: true }));

const image = (changes: Partial<From> = {}, rest: Partial<ManifestImage> = {}): Promise<ManifestImage> =>
  tinyImage({
    from: {
      reference: place('web'),
      digest: record.image.digest,
      mirrors: [],
      keys: [publicKey],
      insecureUnsigned: false,
      plainHttp: true,
      ...changes,
    },
    ...rest,
  });

/** Names of what the store of the builder holds. */
async function blobs(): Promise<string[]> {
  const folder = join(builder.paths.store, 'blobs/sha256');
  return existsSync(folder) ? await readdir(folder) : [];
}

it('is in the store with everything that belongs to it, and its signer is in the answer', async () => {
  const ref = await builder.build(await image({ signedIdentity: 'os/web' }));
  expect(ref).toMatchObject({
    rootDigest: record.image.digest,
    rootBytes: record.rootBytes,
    dataBytes: record.dataBytes,
    espDigest: record.esp.digest,
    filesDigest: record.files.digest,
    sbomDigest: record.sbom.digest,
    packageCount: 2,
    origin: {
      reference: place('web'),
      signer: { keyId: expect.stringMatching(/^sha256:/), identity: 'os/web' },
    },
  });
  const store = new ImageStore(builder.paths.store);
  const found = await store.find(ref.imageDigest);
  expect(found).toMatchObject({ image: record.image, imageBlobs: record.imageBlobs });
  expect(digestOf(await readFile(store.blobPath(record.esp.digest)))).toBe(record.esp.digest);
  expect(await store.collectGarbage()).toEqual([]);
  expect(await leftovers(builder.paths)).toEqual([]);
});

it('is not asked for again, and a try that was interrupted fetches only what is missing', async () => {
  const wanted = await image();
  const ref = await builder.build(wanted);
  const store = new ImageStore(builder.paths.store);
  await store.remove(ref.imageDigest);
  await writeFile(store.blobPath(record.esp.digest), 'damaged');
  const [pack] = record.imageBlobs.slice(-1);
  if (!pack) throw new Error('the image has no pack');
  const written = async (): Promise<number> => (await stat(store.blobPath(pack.digest))).ino;
  const before = await written();
  expect(await builder.build(wanted)).toEqual(ref);
  expect(await written()).toBe(before);
  expect(digestOf(await readFile(store.blobPath(record.esp.digest)))).toBe(record.esp.digest);
  // What is in the store under these very words is not looked for anywhere.
  expect(await builder.build(wanted)).toEqual(ref);
});

it('is used where its source is gone, once it is in the store', async () => {
  await push(record, 'gone');
  const wanted = await image({ reference: place('gone'), keys: [], insecureUnsigned: true });
  const ref = await builder.build(wanted);
  await rm(join(registry.storage, 'docker/registry/v2/repositories/os/gone'), { recursive: true });
  expect(await builder.build(wanted)).toEqual(ref);
  await new ImageStore(builder.paths.store).remove(ref.imageDigest);
  expect(await failureOf(builder.build(wanted))).toMatchObject({ type: 'ImageRefused' });
});

it('is refused where it is in the store, and an Iguana fetched it that did not look at it', async () => {
  const wanted = await image();
  const ref = await builder.build(wanted);
  const store = new ImageStore(builder.paths.store);
  const found = (await store.find(ref.imageDigest)) ?? expect.fail('it is not there');
  const files = join(store.workFolder, 'files');
  await writeFile(files, await fileList(FILES.filter(({ path }) => path !== '/usr/bin/bash')));
  await store.commit({ ...found, files: await store.put(files) });
  const failed = await failureOf(builder.build(wanted));
  expect(failed).toMatchObject({ type: 'ImageUnsuitable', retryable: false });
  expect(failed.message).toMatch(
    /^using the image sha256:.* of docker:.*, which is in the store: .* needs: bash/,
  );
});

it('may be unsigned only where the profile says so, and the history then says that', async () => {
  const unsigned = { reference: place('unsigned'), keys: [], insecureUnsigned: true };
  const { origin } = await builder.build(await image(unsigned));
  expect(origin).toEqual({ reference: place('unsigned') });
});

it('comes from a mirror where the first place is away', async () => {
  const away = { reference: 'docker://127.0.0.1:9/os/web', mirrors: [place('web')] };
  expect(await builder.build(await image(away))).toMatchObject({ rootDigest: record.image.digest });
});

describe('is refused, and nothing of it is kept', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
    type: 'spki',
    format: 'pem',
  });
  it.each<[string, Partial<From>, Partial<ManifestImage>, string, RegExp]>([
    [
      'unsigned',
      { reference: 'unsigned' },
      {},
      'ImageUntrusted',
      /it is not signed; trusted: image\.from\.keys\[0\]/,
    ],
    [
      'signed by another key',
      { keys: [other] },
      {},
      'ImageUntrusted',
      /none of its 1 signature is by a trusted key/,
    ],
    [
      'signed as something else',
      { signedIdentity: 'os/db' },
      {},
      'ImageUntrusted',
      /expected the name os\/db, found os\/web/,
    ],
    [
      'with a key that is none',
      { keys: ['-----BEGIN PUBLIC KEY-----\nx'] },
      {},
      'ImageUntrusted',
      /image\.from\.keys\[0\]/,
    ],
    [
      'which is not there',
      { digest: digestOf('other') },
      {},
      'ImageRefused',
      /reading the manifest sha256:.*: there is none/,
    ],
    ['for another filesystem', {}, { rootFilesystem: 'xfs' }, 'ImageUnsuitable', /expected xfs, found ext4/],
  ])('%s', async (_, { reference, ...changes }, rest, type, message) => {
    const wanted = await image({ ...changes, ...(reference && { reference: place(reference) }) }, rest);
    const failed = await failureOf(builder.build(wanted));
    expect(failed).toMatchObject({ type, retryable: false });
    expect(failed.message).toMatch(message);
    expect(await blobs()).toEqual([]);
    expect(await leftovers(builder.paths)).toEqual([]);
  });

  it('a disk image, which cannot be installed', async () => {
    const file = join(folderWith(), 'disk.img');
    await writeFile(file, Buffer.alloc(2 ** 20, 7));
    await say(['image', 'pack', file, `oci:${file}.oci`]);
    await say(['image', 'push', `oci:${file}.oci`, place('disk'), '--plain-http']);
    const { documents } = await elsewhere.json(['image', 'inspect', place('disk'), '--plain-http']);
    const [{ digest }] = documents as [{ digest: From['digest'] }];
    const wanted = await image({ reference: place('disk'), digest, keys: [], insecureUnsigned: true });
    const { type, message } = await failureOf(builder.build(wanted));
    expect(type).toBe('ImageUnsuitable');
    expect(message).toMatch(/expected a partition called root, found disk disk/);
    expect(await blobs()).toEqual([]);
  });

  it.each<[string, () => Promise<Sample>, RegExp]>([
    ['no boot loader', async () => ({ esp: await espArchive(ESP.slice(3)) }), /has no boot loader EFI/],
    [
      'a link on the ESP',
      async () => ({ esp: await espArchive([...ESP, { name: 'a', type: 'symlink', linkname: 'b' }]) }),
      /"a" \(symlink\) does not belong there/,
    ],
    [
      'no bash',
      async () => ({ files: await fileList(FILES.filter(({ path }) => path !== '/usr/bin/bash')) }),
      /lacks what every install needs: bash/,
    ],
    [
      'a list of files that is cut off',
      async () => ({ files: (await fileList()).subarray(0, -2) }),
      /reading the file list .* that is cut off/,
    ],
  ])('with %s, before its packs are fetched', async (what, sample, message) => {
    const made = await storeSample({ name: what, ...(await sample()) });
    await push(made, 'unfit');
    const { digest } = made.image;
    const wanted = await image({ reference: place('unfit'), digest, keys: [], insecureUnsigned: true });
    const failed = await failureOf(builder.build(wanted));
    expect(failed).toMatchObject({ type: 'ImageUnsuitable', retryable: false });
    expect(failed.message).toMatch(message);
    // What was looked at lies there until garbage is collected; no record names it.
    expect((await blobs()).map((name) => `sha256:${name}`).sort()).toEqual(
      [made.esp.digest, made.files.digest].sort(),
    );
    expect(await new ImageStore(builder.paths.store).list()).toEqual([]);
    expect(await leftovers(builder.paths)).toEqual([]);
  });

  it('for now, where no place answers', async () => {
    const wanted = await image({ reference: 'docker://127.0.0.1:9/os/web' });
    expect(await failureOf(builder.build(wanted))).toMatchObject({
      type: 'ImageUnavailable',
      retryable: true,
    });
  });
});
