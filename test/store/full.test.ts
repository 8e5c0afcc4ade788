/** A store whose filesystem gets full while an image comes: what is said, what is left, and that it goes on when there is room. */
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { digestOf } from '../../image/digest.ts';
import { ImageIoError } from '../../image/io-error.ts';
import { openSource } from '../../image/transfer/open.ts';
import { fetchToStore } from '../../store/fetch-to-store.ts';
import { ImageStore } from '../../store/store.ts';
import { storeRoot } from '../../store/store-root.ts';
import { smallFilesystem } from '../image/devices.ts';
import { folderWith } from '../image/servers/folder.ts';
import { sha256sum } from '../image/write/writing.ts';
import { espArchive, fileList } from './harness/content.ts';

const MIB = 2 ** 20;
const SMALL_MIB = 4;

/** In the store of somebody else. */
async function elsewhere() {
  const folder = folderWith();
  const store = new ImageStore(folder);
  await store.prepare();
  const put = async (name: string, content: string | Buffer) => {
    await writeFile(join(store.workFolder, name), content);
    return await store.put(join(store.workFolder, name));
  };
  const raw = randomBytes(2 * SMALL_MIB * MIB);
  const path = join(store.workFolder, 'root.img');
  await writeFile(path, raw);
  const attachments = {
    esp: await put('esp', await espArchive()),
    files: await put('files', await fileList()),
    sbom: await put('sbom', JSON.stringify({ components: [] })),
  };
  const root = await storeRoot(store, { path, filesystem: 'ext4', attachments, folder: store.workFolder });
  return { folder, root };
}

/** Names of the blobs, each with what tells a file from another one of the same content. */
const blobsIn = (folder: string): ReadonlyMap<string, number> =>
  new Map(
    readdirSync(join(folder, 'blobs/sha256')).map((name) => [
      name,
      statSync(join(folder, 'blobs/sha256', name)).ino,
    ]),
  );

it('the failure says where; nothing unfinished stays; with room, only the rest is fetched', async () => {
  const { folder: from, root } = await elsewhere();
  const folder = join(folderWith(), 'store');
  await smallFilesystem(folder, SMALL_MIB);
  const store = new ImageStore(folder);
  await store.prepare();
  const { digest } = root.image;
  const reference = `oci:${from}@${digest}`;
  const wanted = { digest, reference, keys: undefined, rootFilesystem: 'ext4' } as const;
  const fetch = async () => {
    const source = openSource([reference]);
    try {
      return await fetchToStore(store, source, wanted, { folder: join(store.workFolder, 'fetch') });
    } finally {
      await source.close();
    }
  };

  const error = await fetch().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ImageIoError);
  const [pack] = root.imageBlobs.slice(-1);
  expect(error).toMatchObject({
    code: 'ENOSPC',
    message: expect.stringMatching(new RegExp(`^storing ${pack?.digest}.*: ENOSPC`)),
  });
  expect(await store.list()).toEqual([]);
  const before = blobsIn(folder);
  expect(before.size).toBeGreaterThan(0);
  expect(before.has(`${pack?.digest.slice('sha256:'.length)}`)).toBe(false);
  expect(readdirSync(join(store.workFolder, 'fetch'))).toEqual([]);

  await execa('mount', ['-o', `remount,size=${8 * SMALL_MIB}M`, folder]);
  const fetched = await fetch();
  const record = {
    version: 3,
    imageDigest: digestOf('fetched'),
    ...fetched,
    createdAt: new Date().toISOString(),
  } as const;
  await store.commit(record);
  expect(await store.find(record.imageDigest)).toEqual(record);
  for (const [name, inode] of before) expect(blobsIn(folder).get(name)).toBe(inode);
  for (const name of blobsIn(folder).keys())
    expect(await sha256sum(join(folder, 'blobs/sha256', name))).toBe(name);
});
