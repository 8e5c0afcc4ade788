/** Chunk tables that are too large for memory: read through files, and as strictly as the others. */
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { type Image, readImage } from '../../../image/format/read-image.ts';
import { piecesOf } from '../../../image/format/table-bytes.ts';
import { ImageIoError } from '../../../image/io-error.ts';
import { WrongContent } from '../../../image/source/errors.ts';
import { openSource } from '../../../image/transfer/open.ts';
import { folderWith } from '../servers/folder.ts';
import { largeImage } from '../write/large-image.ts';

const BLOCKS = 2 ** 17 + 1000;
const FOLDER = folderWith();
largeImage(FOLDER, { bulk: [], blocks: BLOCKS, firstBlock: 1 });
/** Larger than the pack. */
const [TABLE = ''] = readdirSync(join(FOLDER, 'blobs/sha256'))
  .map((name) => join('blobs/sha256', name))
  .toSorted((a, b) => statSync(join(FOLDER, b)).size - statSync(join(FOLDER, a)).size);

async function read(...folders: readonly string[]): Promise<Image> {
  const source = openSource(folders.map((folder) => `oci:${folder}`));
  try {
    return await readImage(source);
  } finally {
    await source.close();
  }
}

function copyWithFlippedByte(): string {
  const folder = folderWith();
  cpSync(FOLDER, folder, { recursive: true });
  const bytes = readFileSync(join(folder, TABLE));
  const at = bytes.length - 1000;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(join(folder, TABLE), bytes);
  return folder;
}

it('has all chunks, in any order, and its own bytes', async () => {
  const [part] = (await read(FOLDER)).parts;
  if (!part) throw new Error('the image has no part');
  const { chunks } = part;
  expect(chunks.count).toBe(BLOCKS);
  const all = [...chunks.chunks()];
  for (const index of [BLOCKS - 1, 0, 70_000, 69_999, 256, 255]) {
    expect(chunks.at(index)).toEqual(all[index]);
    expect(all[index]?.offset).toBe(index * 4096);
  }
  expect(new Set(all.map(({ sha256 }) => sha256)).size).toBe(BLOCKS);
  let length = 0;
  for (const piece of piecesOf(chunks.bytes)) length += piece.length;
  expect(length).toBe(part.table.rawBytes);
});

it('is not taken with a flipped bit', async () => {
  await expect(read(copyWithFlippedByte())).rejects.toThrow(WrongContent);
});

it('is taken from a mirror that has it right', async () => {
  const [part] = (await read(copyWithFlippedByte(), FOLDER)).parts;
  expect(part?.chunks.count).toBe(BLOCKS);
});

it('that cannot be kept: the error says where, and how to change that', async () => {
  vi.stubEnv('TMPDIR', join(FOLDER, 'no-such-folder'));
  try {
    const reading = read(FOLDER);
    await expect(reading).rejects.toThrow(ImageIoError);
    await expect(reading).rejects.toThrow(
      /keeping it in .*no-such-folder.*TMPDIR names another folder.*ENOENT/,
    );
  } finally {
    vi.unstubAllEnvs();
  }
});

it('leaves nothing behind in the folder for temporary files', async () => {
  const folder = folderWith();
  vi.stubEnv('TMPDIR', folder);
  try {
    await read(FOLDER);
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    vi.unstubAllEnvs();
  }
});
