/** Where chunks begin and end: a property of the bytes, not of how they came. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, MAX_CHUNK_BYTES, MAX_CHUNKS } from '../../../image/format/limits.ts';
import { chunkSizesFor } from '../../../image/pack/chunking.ts';
import { cut, type RawChunk } from '../../../image/pack/cut.ts';

const SIZES = { minBytes: 4 * BLOCK_BYTES, averageBytes: 8 * BLOCK_BYTES, maxBytes: 16 * BLOCK_BYTES };

/** A disk: for each number that many blocks, of zeros or of something, and some bytes beside the blocks. */
const disks = fc
  .record({
    runs: fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.boolean(), fc.nat(0xffff)), {
      maxLength: 12,
    }),
    tail: fc.nat(BLOCK_BYTES - 1),
  })
  .map(({ runs, tail }) =>
    Buffer.concat([
      ...runs.map(([blocks, isZero, seed]) => {
        const bytes = Buffer.alloc(blocks * BLOCK_BYTES);
        if (!isZero)
          for (let at = 0; at < bytes.length; at += 2) bytes.writeUInt16LE((seed * 31 + at * 7) % 65521, at);
        return bytes;
      }),
      Buffer.alloc(tail, 5),
    ]),
  );

async function* pieces(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const length of lengths) {
    if (at >= bytes.length) return;
    yield bytes.subarray(at, at + length);
    at += length;
  }
  if (at < bytes.length) yield bytes.subarray(at);
}

async function chunksOf(bytes: Buffer, lengths: readonly number[] = []): Promise<RawChunk[]> {
  const chunks: RawChunk[] = [];
  for await (const chunk of cut(pieces(bytes, lengths), SIZES)) chunks.push(chunk);
  return chunks;
}

it('leaves out nothing but zeros, and keeps to its lengths', async () => {
  await fc.assert(
    fc.asyncProperty(disks, async (disk) => {
      const again = Buffer.alloc(disk.length);
      let end = 0;
      for (const { offset, bytes } of await chunksOf(disk)) {
        expect(offset).toBeGreaterThanOrEqual(end);
        expect(offset % BLOCK_BYTES).toBe(0);
        expect(bytes.length).toBeLessThanOrEqual(SIZES.maxBytes);
        bytes.copy(again, offset);
        end = offset + bytes.length;
        expect(bytes.length % BLOCK_BYTES === 0 || end === disk.length).toBe(true);
      }
      expect(again.equals(disk)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

it('gives the same chunks however the bytes come', async () => {
  await fc.assert(
    fc.asyncProperty(disks, fc.array(fc.integer({ min: 1, max: 50_000 })), async (disk, lengths) => {
      expect(await chunksOf(disk, lengths)).toEqual(await chunksOf(disk));
    }),
    { numRuns: 200 },
  );
});

it('is in step again behind what was put in, by blocks', async () => {
  await fc.assert(
    fc.asyncProperty(disks, fc.integer({ min: 1, max: 20 }), async (disk, blocks) => {
      const moved = await chunksOf(Buffer.concat([Buffer.alloc(blocks * BLOCK_BYTES), disk]));
      const plain = await chunksOf(disk);
      expect(moved.map(({ offset, bytes }) => [offset - blocks * BLOCK_BYTES, bytes])).toEqual(
        plain.map(({ offset, bytes }) => [offset, bytes]),
      );
    }),
    { numRuns: 100 },
  );
});

describe('lengths for an image', () => {
  const GIB = 2 ** 30;
  it.each([0, 1, GIB, 8 * GIB, 64 * GIB, 65 * GIB, 100 * GIB, 128 * GIB, 1000 * GIB, 1024 * GIB])(
    'of %i bytes fit the limits of the format, whatever is in it',
    (sizeBytes) => {
      const { minBytes, averageBytes, maxBytes } = chunkSizesFor(sizeBytes);
      // A chunk has its least length, or is followed by as many zeros.
      expect(sizeBytes / minBytes).toBeLessThanOrEqual(MAX_CHUNKS);
      expect(maxBytes).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
      expect(minBytes % BLOCK_BYTES).toBe(0);
      expect(Math.log2(averageBytes / BLOCK_BYTES) % 1).toBe(0);
    },
  );
});
