/** Reading a chunk table that somebody else has written: every number is checked before it is used. */
import { zstdDecompressSync } from 'node:zlib';
import { ChunkTable } from './chunk-table.ts';
import type { Part } from './config.ts';
import { BadImage } from './errors.ts';
import {
  BLOCK_BYTES,
  MAX_CHUNK_BYTES,
  MAX_CHUNKS,
  MAX_PACKS,
  MAX_WINDOW_BYTES,
  maxBlocks,
  maxPackedBytes,
} from './limits.ts';
import { lookingAhead, type TableBytes, tableBytesOf } from './table-bytes.ts';
import { HEADER, MAGIC, tableBytes } from './table-layout.ts';
import { zstdFrame } from './zstd-frame.ts';

/** A table of {@link MAX_CHUNKS} and {@link MAX_PACKS}: the most that all tables of an image have together, raw. */
export const MAX_TABLE_BYTES = tableBytes(MAX_PACKS, MAX_CHUNKS);

/**
 * The most that a part's table can have, raw, by the part's own size: no chunk is smaller than a block.
 * @returns bytes
 */
export const maxTableBytes = ({ sizeBytes }: Pick<Part, 'sizeBytes'>): number =>
  Math.min(MAX_TABLE_BYTES, tableBytes(MAX_PACKS, Math.ceil(sizeBytes / BLOCK_BYTES)));

/**
 * Decompresses and checks a table, in memory.
 * @param doing for messages: `reading the chunk table of PART of IMAGE`
 * @param blob compressed; its digest has been verified
 * @throws BadImage
 */
export function decodeTable(doing: string, blob: Buffer, part: Part): ChunkTable {
  checkBlob(doing, blob, part);
  const { rawBytes } = part.table;
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(blob, { maxOutputLength: rawBytes });
  } catch (cause) {
    throw new BadImage(doing, `it does not decompress to its ${rawBytes} bytes`, { cause });
  }
  return checkRaw(doing, bytes, part);
}

/**
 * What can be said before anything is allocated for it.
 * @throws BadImage
 */
export function checkBlob(doing: string, blob: Buffer | TableBytes, part: Part): void {
  const { rawBytes } = part.table;
  const most = maxTableBytes(part);
  if (rawBytes < HEADER.bytes || rawBytes > most)
    throw new BadImage(doing, 'its size is impossible', {
      expected: `${HEADER.bytes} to ${most}`,
      found: rawBytes,
    });
  checkFrame(doing, blob, maxBlocks(rawBytes));
}

/**
 * What came out of the blob.
 * @throws BadImage
 */
export function checkRaw(doing: string, bytes: Buffer | TableBytes, part: Part): ChunkTable {
  const { rawBytes } = part.table;
  if (bytes.length !== rawBytes)
    throw new BadImage(doing, 'it has another size than the configuration says', {
      expected: rawBytes,
      found: bytes.length,
    });
  return checkTable(doing, bytes, part);
}

/** One frame, whose decompression needs little more than its output. */
function checkFrame(doing: string, blob: Buffer | TableBytes, maxBlocks: number): void {
  const frame = zstdFrame(Buffer.isBuffer(blob) ? blob : lookingAhead(blob), { maxBlocks });
  if (frame?.length !== blob.length)
    throw new BadImage(doing, `it is not one whole zstd frame of at most ${maxBlocks} blocks`, {
      expected: `${blob.length} bytes`,
      found: frame ? `a frame of ${frame.length}` : 'none',
    });
  if (frame.windowBytes > MAX_WINDOW_BYTES)
    throw new BadImage(doing, 'its window is too large', {
      expected: `at most ${MAX_WINDOW_BYTES}`,
      found: frame.windowBytes,
    });
}

/**
 * Checks the bytes of a table.
 * @throws BadImage for the first thing that is wrong
 */
export function checkTable(
  doing: string,
  bytes: Buffer | TableBytes,
  part: Pick<Part, 'sizeBytes' | 'dataBytes'>,
): ChunkTable {
  const wrong = (what: string, expected: string | number, found: string | number): BadImage =>
    new BadImage(doing, what, { expected, found });
  if (bytes.length < HEADER.bytes)
    throw wrong('it is cut off', `${HEADER.bytes} bytes or more`, bytes.length);
  const header = tableBytesOf(bytes).read(0, Buffer.alloc(HEADER.bytes));
  if (!header.subarray(0, MAGIC.length).equals(MAGIC))
    throw wrong('it is no chunk table', MAGIC.toString('hex'), header.toString('hex', 0, MAGIC.length));
  if (!isZero(header.subarray(HEADER.reserved)))
    throw new BadImage(doing, 'reserved bytes of the header are not zero');
  const packCount = header.readUInt32LE(HEADER.packCount);
  const chunkCount = header.readUInt32LE(HEADER.chunkCount);
  if (packCount > MAX_PACKS) throw wrong('too many packs', `at most ${MAX_PACKS}`, packCount);
  if (chunkCount > MAX_CHUNKS) throw wrong('too many chunks', `at most ${MAX_CHUNKS}`, chunkCount);
  const size = tableBytes(packCount, chunkCount);
  if (bytes.length !== size) throw wrong('its size does not fit its counts', size, bytes.length);
  const table = new ChunkTable(bytes);
  if (table.blockBytes !== BLOCK_BYTES) throw wrong('another block size', BLOCK_BYTES, table.blockBytes);
  if (table.maxChunkBytes > MAX_CHUNK_BYTES)
    throw wrong('its chunks are too long', `at most ${MAX_CHUNK_BYTES}`, table.maxChunkBytes);
  if (table.sizeBytes !== part.sizeBytes)
    throw wrong('another size of the part', part.sizeBytes, table.sizeBytes);
  checkChunks(table, wrong);
  if (table.dataBytes !== part.dataBytes)
    throw wrong('another amount of data than the configuration says', part.dataBytes, table.dataBytes);
  return table;
}

function checkChunks(
  table: ChunkTable,
  wrong: (what: string, expected: string | number, found: string | number) => BadImage,
): void {
  let end = 0;
  let data = 0;
  let longest = 0;
  for (const { index, offset, length, pack, packedOffset, packedLength } of table.chunks()) {
    const which = `chunk ${index}`;
    if (offset < end)
      throw wrong(`${which} overlaps the one before, or is out of order`, `from ${end}`, offset);
    if (length === 0 || length > table.maxChunkBytes)
      throw wrong(`the length of ${which}`, `1 to ${table.maxChunkBytes}`, length);
    end = offset + length;
    if (end > table.sizeBytes)
      throw wrong(`${which} reaches beyond the end of the part`, table.sizeBytes, end);
    const isWhole = offset % BLOCK_BYTES === 0 && (length % BLOCK_BYTES === 0 || end === table.sizeBytes);
    if (!isWhole)
      throw wrong(`${which} is not on blocks`, `multiples of ${BLOCK_BYTES}`, `${offset}, ${length}`);
    const { sizeBytes } = table.packs[pack] ?? {};
    if (sizeBytes === undefined) throw wrong(`the pack of ${which}`, `below ${table.packs.length}`, pack);
    if (packedLength === 0 || packedLength > maxPackedBytes(length))
      throw wrong(`the packed length of ${which}`, `1 to ${maxPackedBytes(length)}`, packedLength);
    if (packedOffset + packedLength > sizeBytes)
      throw wrong(`${which} reaches beyond the end of pack ${pack}`, sizeBytes, packedOffset + packedLength);
    if (table.reservedOf(index) !== 0) throw wrong(`reserved bytes of ${which}`, 0, 'something else');
    data += length;
    longest = Math.max(longest, length);
  }
  if (longest !== table.maxChunkBytes)
    throw wrong('the length of its longest chunk', table.maxChunkBytes, longest);
  if (data !== table.dataBytes) throw wrong('the amount of data', table.dataBytes, data);
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);
