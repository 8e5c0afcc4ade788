import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../image/digest.ts';
import { type FileEntry, readFileList, writeFileList } from '../../image/file-list.ts';
import { type Blob, type ImageRecord, ImageStore } from '../../image/store.ts';
import { temporaryFolder } from './samples.ts';

async function blob(store: ImageStore, content: string): Promise<Blob> {
  const path = join(store.workFolder, `work-${content}`);
  await writeFile(path, content);
  return await store.put(path);
}

async function storeWithImage(name = 'one') {
  const folder = await temporaryFolder();
  const store = new ImageStore(folder);
  await store.prepare();
  const record: ImageRecord = {
    version: 1,
    imageDigest: digestOf(name),
    rootFilesystem: 'ext4',
    root: await blob(store, `${name} root`),
    rootTable: await blob(store, `${name} table`),
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
    expect(record.root.digest).toBe(digestOf('one root'));
    expect(await store.list()).toEqual([record]);
  });

  it.each(['missing', 'truncated'])('does not find an image with a %s blob', async (damage) => {
    const { store, record } = await storeWithImage();
    const path = store.blobPath(record.esp.digest);
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
    await age(store.blobPath(record.root.digest));
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
    expect(await readdir(join(store.blobPath(fresh.digest), '..'))).toHaveLength(6);
  });

  it('collects an image that is not kept, blobs and all', async () => {
    const { store, record } = await storeWithImage();
    await store.commit({ ...record, createdAt: new Date().toISOString() });
    await store.collectGarbage({ keep: () => false });
    expect(await store.list()).toEqual([]);
    expect(await readdir(join(store.blobPath(record.root.digest), '..'))).toEqual([]);
  });
});

describe('garbage and builds at the same time', () => {
  it('spares the blobs of a build that has not written its record yet', async () => {
    const { store, record } = await storeWithImage();
    // The next build has put the same ESP after that image was complete.
    await blob(store, 'one esp');
    await age(store.blobPath(record.root.digest));
    await store.collectGarbage({ keep: () => false });
    const left = await readdir(join(store.blobPath(record.esp.digest), '..'));
    expect(left).toContain(record.esp.digest.slice('sha256:'.length));
    expect(left).not.toContain(record.root.digest.slice('sha256:'.length));
  });

  it('drops an image with a flipped bit, and leaves the others', async () => {
    const { folder, store, record } = await storeWithImage();
    const other = { ...record, imageDigest: digestOf('two'), root: await blob(store, 'two root') };
    await store.commit(other);
    await writeFile(store.blobPath(record.root.digest), 'one rooT');
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

describe('the list of files', () => {
  const entries: FileEntry[] = [
    { path: '/', type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0 },
    { path: '/a\nb "é"', type: 'file', mode: 0o4755, uid: 1, gid: 2, size: 3, digest: digestOf('abc') },
    { path: '/l', type: 'symlink', mode: 0o777, uid: 0, gid: 0, size: 0, link: 'a' },
  ];

  it('is read as it was written', async () => {
    const path = join(await temporaryFolder(), 'files');
    await writeFileList(entries, path);
    expect(await Array.fromAsync(readFileList(path))).toEqual(entries);
  });

  it('says what is wrong with a damaged one', async () => {
    const path = join(await temporaryFolder(), 'files');
    await writeFileList([{ path: 'relative' } as unknown as FileEntry], path);
    await expect(Array.fromAsync(readFileList(path))).rejects.toThrow(/line 1 of the file list/);
    await writeFile(path, 'no zstd');
    await expect(Array.fromAsync(readFileList(path))).rejects.toThrow();
    await expect(Array.fromAsync(readFileList(`${path}.missing`))).rejects.toThrow('ENOENT');
  });
});
