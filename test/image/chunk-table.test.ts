import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CHUNK_BYTES,
  type ChunkTable,
  chunksOf,
  dataBytes,
  decodeChunkTable,
  encodeChunkTable,
} from '../../image/chunk-table.ts';
import { digestOf } from '../../image/digest.ts';

const HEX = 'ab'.repeat(32);
const table: ChunkTable = {
  version: 1,
  sizeBytes: CHUNK_BYTES + 1,
  chunkBytes: CHUNK_BYTES,
  chunks: [HEX, ''],
};

describe('the chunk table', () => {
  it('names each chunk by place, length and digest', () => {
    expect([...chunksOf(table)]).toEqual([
      { index: 0, offset: 0, length: CHUNK_BYTES, digest: `sha256:${HEX}` },
      { index: 1, offset: CHUNK_BYTES, length: 1, digest: undefined },
    ]);
    expect(dataBytes(table)).toBe(CHUNK_BYTES);
  });

  it('is read as it was written', () => {
    const text = encodeChunkTable(table);
    expect(decodeChunkTable(text, digestOf(text))).toEqual(table);
  });

  it.each([
    ['another digest', encodeChunkTable(table), /expected sha256:.* found sha256:/],
    ['no JSON', '{', /no JSON/],
    ['too few chunks', JSON.stringify({ ...table, chunks: [HEX] }), /number of chunks/],
    ['too many chunks', JSON.stringify({ ...table, chunks: [HEX, HEX, HEX] }), /number of chunks/],
    ['a digest that is none', JSON.stringify({ ...table, chunks: [HEX, 'zz'] }), /chunks/],
    ['another version', JSON.stringify({ ...table, version: 2 }), /version/],
    ['no size', JSON.stringify({ ...table, sizeBytes: -1 }), /sizeBytes/],
    ['an unknown field', JSON.stringify({ ...table, extra: 1 }), /extra/i],
  ])('refuses %s', (name, text, message) => {
    const expected = name === 'another digest' ? digestOf('something else') : undefined;
    expect(() => decodeChunkTable(text, expected)).toThrow(message);
  });

  it('answers any text with a table or an error that says what it was doing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          decodeChunkTable(text);
        } catch (error) {
          expect(String(error)).toContain('reading a chunk table');
        }
      }),
      { numRuns: 500 },
    );
  });
});
