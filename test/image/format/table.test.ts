/** Chunk tables: what is written is read again, and nothing that breaks the format gets through. */
import { createHash } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Chunk, encodeTable, type TableHead } from '../../../image/format/chunk-table.ts';
import type { Part } from '../../../image/format/config.ts';
import { checkBlob, checkTable, decodeTable } from '../../../image/format/decode-table.ts';
import { BadImage } from '../../../image/format/errors.ts';
import { TableFile } from '../../../image/format/table-bytes.ts';
import { tableBytes } from '../../../image/format/table-layout.ts';
import { TableFileError } from '../../../image/io-error.ts';
import type { BlobDescriptor } from '../../../image/source/source.ts';
import { folderWith } from '../servers/folder.ts';

const BLOCK = 4096;
const sha = (text: string) => createHash('sha256').update(text).digest('hex');
const PACKS: readonly BlobDescriptor[] = [
  { digest: `sha256:${sha('pack 0')}`, sizeBytes: 1000 },
  { digest: `sha256:${sha('pack 1')}`, sizeBytes: 500 },
];
const chunk = (offset: number, length: number, more: Partial<Chunk> = {}): Chunk => ({
  offset: offset * BLOCK,
  length: length * BLOCK,
  sha256: sha(`${offset}`),
  pack: 0,
  packedOffset: 0,
  packedLength: 100,
  ...more,
});
const HEAD = { blockBytes: BLOCK, sizeBytes: 20 * BLOCK };
/** What the header says at most. */
const LONGEST = 4 * BLOCK;

function table(chunks: readonly Chunk[], head: Partial<TableHead> = {}): Buffer {
  const dataBytes = chunks.reduce((sum, { length }) => sum + length, 0);
  const maxChunkBytes = Math.min(LONGEST, Math.max(0, ...chunks.map(({ length }) => length)));
  return encodeTable({ ...HEAD, maxChunkBytes, dataBytes, ...head }, PACKS, chunks);
}

const check = (bytes: Buffer, part: Partial<Part> = {}) =>
  checkTable('reading the table', bytes, {
    sizeBytes: HEAD.sizeBytes,
    dataBytes: Number(bytes.readBigUInt64LE(24)),
    ...part,
  });

function partOf(raw: Buffer, blob: Buffer, more: Partial<Part> = {}): Part {
  return {
    name: 'disk',
    kind: 'disk',
    sizeBytes: HEAD.sizeBytes,
    blockBytes: BLOCK,
    digest: `sha256:${sha('')}`,
    dataBytes: Number(raw.readBigUInt64LE(24)),
    table: { digest: `sha256:${sha('')}`, sizeBytes: blob.length, rawBytes: raw.length },
    ...more,
  };
}

/** A frame with a window of 8 MiB, of empty blocks and a last one with all that there is. */
function framed(raw: Buffer, blocks: number): Buffer {
  const last = Buffer.alloc(3);
  last.writeUIntLE((raw.length << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.from('28b52ffd0068', 'hex'), Buffer.alloc(3 * (blocks - 1)), last, raw]);
}

const GOOD = [chunk(0, 2), chunk(2, 4, { pack: 1, packedOffset: 400 }), chunk(10, 1), chunk(19, 1)];

it('is read as it was written', () => {
  const read = check(table(GOOD));
  expect([...read.chunks()]).toEqual(GOOD.map((each, index) => ({ ...each, index })));
  expect(read.packs).toEqual(PACKS);
  expect(read).toMatchObject({ ...HEAD, maxChunkBytes: LONGEST, dataBytes: 8 * BLOCK, count: 4 });
});

it('may be empty, and may end with a part of a block', () => {
  expect(check(table([])).count).toBe(0);
  const odd = { sizeBytes: 20 * BLOCK + 512 };
  const tail = chunk(20, 0, { length: 512 });
  expect(check(table([...GOOD, tail], odd), odd).count).toBe(5);
});

it('is read right after a page of it could not be read', () => {
  const chunks = Array.from({ length: 600 }, (_, index) => chunk(index, 1));
  const sizeBytes = 600 * BLOCK;
  const bytes = table(chunks, { sizeBytes });
  const path = join(folderWith({ table: bytes }), 'table');
  const read = checkTable('reading the table', TableFile.open(path, bytes.length), {
    sizeBytes,
    dataBytes: sizeBytes,
  });
  expect(read.at(0)).toMatchObject(chunk(0, 1));
  // Within the second page.
  truncateSync(path, tableBytes(PACKS.length, 400));
  expect(() => read.at(300)).toThrow(TableFileError);
  expect(read.at(0)).toMatchObject(chunk(0, 1));
  expect(read.at(255)).toMatchObject(chunk(255, 1));
});

describe('is refused', () => {
  it.each<[string, Buffer, RegExp]>([
    [
      'chunks that overlap',
      table([chunk(0, 2), chunk(1, 2)]),
      /chunk 1 overlaps.*expected from 8192, found 4096/,
    ],
    ['chunks out of order', table([chunk(4, 1), chunk(0, 1)]), /chunk 1 overlaps/],
    ['a chunk beyond the end', table([chunk(19, 2)]), /chunk 0 reaches beyond the end of the part/],
    ['a chunk beside the blocks', table([chunk(0, 1, { offset: 100 })]), /chunk 0 is not on blocks/],
    ['half a block in the middle', table([chunk(0, 1, { length: 100 })]), /chunk 0 is not on blocks/],
    ['a chunk without length', table([chunk(0, 0)]), /the length of chunk 0.*found 0/],
    ['a chunk that is too long', table([chunk(0, 5)]), /the length of chunk 0.*1 to 16384/],
    ['a pack that is not there', table([chunk(0, 1, { pack: 2 })]), /the pack of chunk 0.*below 2.*found 2/],
    [
      'a range beyond the pack',
      table([chunk(0, 1, { packedOffset: 950 })]),
      /beyond the end of pack 0.*1000.*1050/,
    ],
    ['a packed length of nothing', table([chunk(0, 1, { packedLength: 0 })]), /the packed length of chunk 0/],
    [
      'a packed length that no compression has',
      table([chunk(0, 1, { packedLength: 5000 })]),
      /packed length/,
    ],
    ['another block size', table([], { blockBytes: 512 }), /block size: expected 4096, found 512/],
    ['chunks that fill the memory', table([], { maxChunkBytes: 2 ** 31 }), /its chunks are too long/],
    [
      'chunks that are all shorter than the longest',
      table([chunk(0, 1)], { maxChunkBytes: LONGEST }),
      /its longest chunk: expected 16384, found 4096/,
    ],
    ['another size of the part', table([], { sizeBytes: 5 }), /another size of the part/],
    ['a wrong sum', table([chunk(0, 1)], { dataBytes: 1 }), /the amount of data/],
    ['something else', Buffer.alloc(64), /it is no chunk table/],
    ['a table that is cut off', table(GOOD).subarray(0, -1), /its size does not fit its counts/],
    [
      'a table with something behind it',
      Buffer.concat([table(GOOD), Buffer.alloc(64)]),
      /does not fit its counts/,
    ],
    ['nothing', Buffer.alloc(0), /it is cut off/],
  ])('%s', (_what, bytes, message) => {
    expect(() => checkTable('reading the table', bytes, { sizeBytes: HEAD.sizeBytes, dataBytes: 0 })).toThrow(
      message,
    );
  });

  it('a decompression bomb, before its bytes are there', () => {
    const raw = table(GOOD);
    const bomb = zstdCompressSync(Buffer.alloc(64 * 2 ** 20));
    expect(() => decodeTable('reading', bomb, partOf(raw, bomb))).toThrow(/does not decompress to its/);
    const declared = partOf(raw, bomb);
    const table_ = { ...declared.table, rawBytes: 2 ** 40 };
    expect(() => decodeTable('reading', bomb, { ...declared, table: table_ })).toThrow(
      /its size is impossible/,
    );
  });

  it('one that is shorter than it is said to be', () => {
    const raw = table(GOOD);
    const blob = zstdCompressSync(raw.subarray(0, -64));
    expect(() => decodeTable('reading', blob, partOf(raw, blob))).toThrow(
      /another size than the configuration says/,
    );
  });
});

describe('is one zstd frame, and refused', () => {
  const blob = zstdCompressSync(table(GOOD));
  const skippable = Buffer.from('502a4d1804000000abcdabcd', 'hex');
  const wide = { params: { [constants.ZSTD_c_windowLog]: 27 } };

  it.each<[string, Buffer, RegExp]>([
    ['as two frames', Buffer.concat([blob, zstdCompressSync('')]), /not one whole zstd frame/],
    ['before a frame to be skipped', Buffer.concat([blob, skippable]), /not one whole zstd frame/],
    [
      'behind a frame to be skipped',
      Buffer.concat([skippable, blob]),
      /not one whole zstd frame.*found none/,
    ],
    ['cut off', blob.subarray(0, -1), /not one whole zstd frame/],
    ['as no frame', table(GOOD), /not one whole zstd frame.*found none/],
    [
      'with a window that fills the memory',
      zstdCompressSync(Buffer.alloc(16 * 2 ** 20), wide),
      /its window is too large: expected at most 8388608, found 16777216/,
    ],
  ])('%s', (_what, bytes, message) => {
    expect(() => decodeTable('reading', bytes, partOf(table(GOOD), bytes))).toThrow(message);
  });

  it('with more blocks than it can need, in memory and in a file', () => {
    const raw = table(GOOD);
    const most = 1 + 1024;
    const all = framed(raw, most);
    expect(decodeTable('reading', all, partOf(raw, all)).count).toBe(GOOD.length);
    // Twenty-four million bytes, which is less than a blob may have.
    for (const blocks of [most + 1, 8_000_000]) {
      const bytes = framed(raw, blocks);
      const file = TableFile.open(join(folderWith({ bytes }), 'bytes'), bytes.length);
      const part = partOf(raw, bytes);
      expect(() => decodeTable('reading', bytes, part)).toThrow(/frame of at most 1025 blocks/);
      expect(() => checkBlob('reading', file, part)).toThrow(/frame of at most 1025 blocks/);
      file.close();
    }
  });

  it('unless it is', () => {
    expect(decodeTable('reading', blob, partOf(table(GOOD), blob)).count).toBe(GOOD.length);
  });
});

describe('fuzzed', () => {
  it('gives a table or a BadImage, and nothing else', () => {
    const good = table(GOOD);
    const flips = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(flips, fc.option(fc.nat(good.length)), (changes, length) => {
        const bytes = Buffer.from(good.subarray(0, length ?? good.length));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          for (const read of check(
            bytes.length < 32 ? Buffer.concat([bytes, Buffer.alloc(32)]) : bytes,
          ).chunks()) {
            expect(read.offset + read.length).toBeLessThanOrEqual(HEAD.sizeBytes);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(BadImage);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('of any bytes, compressed or not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.boolean(), (random, compressed) => {
        const blob = compressed ? zstdCompressSync(random) : Buffer.from(random);
        const raw = table([]);
        expect(() => decodeTable('reading', blob, partOf(raw, blob))).toThrow(BadImage);
      }),
      { numRuns: 1000 },
    );
  });
});
