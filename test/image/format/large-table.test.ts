/** Chunk tables that are too large for memory: read through files, and as strictly as the others. */
import {
  cpSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Part } from '../../../image/format/config.ts';
import { BadImage } from '../../../image/format/errors.ts';
import { readLargeTable } from '../../../image/format/large-table.ts';
import { type Image, readImage } from '../../../image/format/read-image.ts';
import { piecesOf } from '../../../image/format/table-bytes.ts';
import { TableFileError } from '../../../image/io-error.ts';
import { WrongContent } from '../../../image/source/errors.ts';
import type { ImageSource } from '../../../image/source/source.ts';
import { type OpenOptions, openSource } from '../../../image/transfer/open.ts';
import { startFaulty } from '../servers/faulty.ts';
import { folderWith } from '../servers/folder.ts';
import { largeImage } from '../write/large-image.ts';

const BLOCKS = 2 ** 17 + 1000;
const FOLDER = folderWith();
largeImage(FOLDER, { bulk: [], blocks: BLOCKS, firstBlock: 1 });
/** Larger than the pack. */
const [TABLE = ''] = readdirSync(join(FOLDER, 'blobs/sha256'))
  .map((name) => join('blobs/sha256', name))
  .toSorted((a, b) => statSync(join(FOLDER, b)).size - statSync(join(FOLDER, a)).size);

const read = async (...folders: readonly string[]): Promise<Image> =>
  await readFrom(folders.map((folder) => `oci:${folder}`));

const WRONG = copyWithFlippedByte();
/** As the configuration has it; its table is forgotten. */
const PART: Part = await read(FOLDER).then(({ parts: [part] }) => {
  if (!part) throw new Error('the image has no part');
  const { chunks: _, ...rest } = part;
  return rest;
});

async function readFrom(references: readonly string[], options?: OpenOptions): Promise<Image> {
  const source = openSource(references, options);
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
  await expect(read(WRONG)).rejects.toThrow(WrongContent);
});

it('is taken from a mirror that has it right', async () => {
  const [part] = (await read(WRONG, FOLDER)).parts;
  expect(part?.chunks.count).toBe(BLOCKS);
});

it('that cannot be kept: the error says where, and how to change that', async () => {
  vi.stubEnv('TMPDIR', join(FOLDER, 'no-such-folder'));
  try {
    const reading = read(FOLDER);
    await expect(reading).rejects.toThrow(TableFileError);
    await expect(reading).rejects.toThrow(
      /keeping it in .*no-such-folder.*TMPDIR names another folder.*ENOENT/,
    );
  } finally {
    vi.unstubAllEnvs();
  }
});

it('whose pieces come from two mirrors is taken from the right one, which gave the first piece', async () => {
  let asked = 0;
  // It falls silent once, so that the second piece is the other one's.
  const right = await startFaulty(FOLDER, ({ path }) =>
    path.endsWith(TABLE) && asked++ === 1 ? 'silence' : undefined,
  );
  const [part] = (await readFrom([right.url, `oci:${WRONG}`], { plainHttp: true, patienceMs: 1000 })).parts;
  expect(part?.chunks.count).toBe(BLOCKS);
  expect(asked).toBeGreaterThan(2);
});

describe('in the folder for temporary files', () => {
  let folder = '';
  beforeEach(() => {
    folder = folderWith();
    vi.stubEnv('TMPDIR', folder);
  });
  afterEach(() => {
    expect(readdirSync(folder)).toEqual([]);
    vi.unstubAllEnvs();
  });

  /** Files without a name take room, too, until they are closed. */
  const openFiles = (): readonly string[] =>
    readdirSync('/proc/self/fd')
      .map((file) => `/proc/self/fd/${file}`)
      .filter((file) => nameOf(file).startsWith(folder));

  it('there is the table itself, and nothing else', async () => {
    const image = await read(FOLDER);
    expect(openFiles()).toHaveLength(1);
    expect(image.parts[0]?.chunks.at(BLOCKS - 1).offset).toBe((BLOCKS - 1) * 4096);
  });

  it('there is nothing after a failure of the source', async () => {
    await expect(read(WRONG)).rejects.toThrow(WrongContent);
    expect(openFiles()).toEqual([]);
  });

  it('there is nothing of a table that breaks the format', async () => {
    const { part, source } = opened();
    const reading = readLargeTable(
      'reading',
      { source, blob: part.table, signal: undefined },
      { ...part, dataBytes: 1 },
    );
    await expect(reading).rejects.toThrow(/another amount of data/);
    const short = { ...part, table: { ...part.table, rawBytes: 100_000 } };
    const cut = readLargeTable('reading', { source, blob: part.table, signal: undefined }, short);
    await expect(cut).rejects.toThrow(BadImage);
    expect(openFiles()).toEqual([]);
  });

  it('there is nothing after it was stopped, which it is while it decompresses', async () => {
    const { part, source } = opened();
    const stop = new AbortController();
    const reading = readLargeTable('reading', { source, blob: part.table, signal: stop.signal }, part);
    const stopping = (async () => {
      await decompressing();
      stop.abort(new Error('enough'));
    })();
    await expect(reading).rejects.toThrow('enough');
    await stopping;
    expect(openFiles()).toEqual([]);
  });

  it('the fetched blob cannot be read: that is what the error says', async () => {
    const { part, source } = opened();
    const reading = readLargeTable('reading', { source, blob: part.table, signal: undefined }, part);
    const truncating = (async () => {
      const blob = await decompressing();
      truncateSync(blob, 1000);
    })();
    await expect(reading).rejects.toThrow(TableFileError);
    await expect(reading).rejects.toThrow(/the file ends there/);
    await truncating;
    expect(openFiles()).toEqual([]);
  });

  /** The blob has no name any more, and what comes out of it has one. @returns the blob */
  async function decompressing(): Promise<string> {
    for (;;) {
      const blob = openFiles().find((file) => nameOf(file).endsWith(' (deleted)'));
      if (blob !== undefined && readdirSync(folder).length > 0) return blob;
      await nextTurn();
    }
  }
});

/** The part, and where its table is. */
function opened(): { part: Part; source: ImageSource } {
  const source = openSource([`oci:${FOLDER}`]);
  onTestFinished(() => source.close());
  return { part: PART, source };
}

function nameOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    // Of the listing itself, closed by now.
    return '';
  }
}
