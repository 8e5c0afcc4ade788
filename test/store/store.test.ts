import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../image/digest.ts';
import type { Blob, ImageRecord } from '../../store/image-record.ts';
import { ImageStore } from '../../store/store.ts';
import { storeRoot } from '../../store/store-root.ts';
import { folderWith } from '../image/servers/folder.ts';
import { bytesOf } from '../image/write/writing.ts';

async function blob(store: ImageStore, content: string): Promise<Blob> {
  const path = join(store.workFolder, `work-${content}`);
  await writeFile(path, content);
  return await store.put(path);
}

async function storeWithImage(name = 'one') {
  const folder = folderWith();
  const store = new ImageStore(folder);
  await store.prepare();
  const record: ImageRecord = {
    version: 3,
    imageDigest: digestOf(name),
    rootFilesystem: 'ext4',
    image: await blob(store, `${name} manifest`),
    imageBlobs: [await blob(store, `${name} table`), await blob(store, `${name} pack`)],
    rootBytes: 1,
    dataBytes: 1,
    esp: await blob(store, `${name} esp`),
    files: await blob(store, `${name} files`),
    sbom: await blob(store, `${name} sbom`),
    packageCount: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
  };
  await store.commit(record);
  return { folder, store, record };
}

const age = (path: string) => utimes(path, 0, 0);

describe('the store', () => {
  it('finds what was committed, under the digest of its bytes', async () => {
    const { store, record } = await storeWithImage();
    expect(await store.find(record.imageDigest)).toEqual(record);
    expect(record.image.digest).toBe(digestOf('one manifest'));
    expect(await store.list()).toEqual([record]);
  });

  it.each([
    ['missing', 'pack'],
    ['truncated', 'ESP'],
  ])('does not find an image with a %s %s', async (damage, which) => {
    const { store, record } = await storeWithImage();
    const { digest } = which === 'ESP' ? record.esp : (record.imageBlobs[1] ?? record.image);
    const path = store.blobPath(digest);
    if (damage === 'truncated') await writeFile(path, 'x');
    else await (await import('node:fs/promises')).rm(path);
    expect(await store.find(record.imageDigest)).toBeUndefined();
  });

  it('does not find an image whose record is damaged', async () => {
    const { store, folder, record } = await storeWithImage();
    const [name] = await readdir(join(folder, 'images'));
    await writeFile(join(folder, 'images', name ?? ''), '{"version":1');
    expect(await store.find(record.imageDigest)).toBeUndefined();
    expect(await store.list()).toEqual([]);
  });

  it('collects what nobody needs, and nothing else', async () => {
    const { store, record } = await storeWithImage();
    const old = await blob(store, 'orphan');
    await age(store.blobPath(old.digest));
    await age(store.blobPath(record.image.digest));
    const fresh = await blob(store, 'being put right now');
    await mkdir(join(store.workFolder, 'left by a kill'));
    await age(join(store.workFolder, 'left by a kill'));
    const named = (await store.collectGarbage({ dryRun: true })).map(({ path }) => path);
    expect(named.sort()).toEqual(
      [store.blobPath(old.digest), join(store.workFolder, 'left by a kill')].sort(),
    );
    await store.collectGarbage();
    expect(await store.find(record.imageDigest)).toEqual(record);
    expect(await store.collectGarbage()).toEqual([]);
    expect(await readdir(join(store.blobPath(fresh.digest), '..'))).toHaveLength(7);
  });

  it('collects an image that is not kept, blobs and all', async () => {
    const { store, record } = await storeWithImage();
    await store.commit({ ...record, createdAt: new Date().toISOString() });
    await store.collectGarbage({ keep: () => false });
    expect(await store.list()).toEqual([]);
    expect(await readdir(join(store.blobPath(record.image.digest), '..'))).toEqual([]);
  });
});

describe('a root filesystem in the store', () => {
  it('is an image of one part, made of blobs of the store', async () => {
    const folder = folderWith();
    const store = new ImageStore(folder);
    await store.prepare();
    const raw = bytesOf('ab0c');
    const path = join(folder, 'root.img');
    await writeFile(path, raw);
    const attachments = {
      esp: await blob(store, 'esp'),
      files: await blob(store, 'files'),
      sbom: await blob(store, 'sbom'),
    };
    const root = await storeRoot(store, {
      path,
      filesystem: 'ext4',
      attachments,
      folder: join(folder, 'work/one'),
    });
    const record: ImageRecord = {
      version: 3,
      imageDigest: digestOf('root'),
      ...root,
      packageCount: 0,
      createdAt: new Date().toISOString(),
    };
    await store.commit(record);
    expect(await store.find(record.imageDigest)).toEqual(record);
    const { image, source } = await store.open(record);
    expect(image.digest).toBe(record.image.digest);
    expect(image.parts).toMatchObject([
      { name: 'root', kind: 'partition', filesystem: 'ext4', sizeBytes: raw.length, digest: digestOf(raw) },
    ]);
    expect(image.attachments).toEqual(
      Object.entries(attachments).map(([name, attached]) => ({ name, ...attached })),
    );
    await source.close();
    await writeFile(store.blobPath(record.image.digest), 'x'.repeat(record.image.sizeBytes));
    await expect(store.open(record)).rejects.toThrow(/sha256:/);
  });
});

describe('garbage and builds at the same time', () => {
  it('spares the blobs of a build that has not written its record yet', async () => {
    const { store, record } = await storeWithImage();
    // The next build has put the same ESP after that image was complete.
    await blob(store, 'one esp');
    await age(store.blobPath(record.image.digest));
    await store.collectGarbage({ keep: () => false });
    const left = await readdir(join(store.blobPath(record.esp.digest), '..'));
    expect(left).toContain(record.esp.digest.slice('sha256:'.length));
    expect(left).not.toContain(record.image.digest.slice('sha256:'.length));
  });

  it('drops an image with a flipped bit, and leaves the others', async () => {
    const { folder, store, record } = await storeWithImage();
    const other = { ...record, imageDigest: digestOf('two'), image: await blob(store, 'two manifest') };
    await store.commit(other);
    await writeFile(store.blobPath(record.image.digest), 'one manifesT');
    expect(await store.collectGarbage({ verify: false })).toEqual([]);
    const [dropped] = await store.collectGarbage();
    expect(dropped?.path).toBe(join(folder, 'images', `${record.imageDigest.slice(7)}.json`));
    expect(await store.list()).toEqual([other]);
  });

  it('says what could not be put', async () => {
    const { store } = await storeWithImage();
    const put = store.put(join(store.workFolder, 'missing'));
    await expect(put).rejects.toThrow(/^storing .*missing: ENOENT/);
    await expect(put).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
