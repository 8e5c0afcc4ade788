/**
 * The chunk table of one part: which bytes of the image are where in which pack. What no chunk covers is zero.
 *
 * It stays the bytes that it was read as: a million objects would cost ten times the memory.
 */
import type { Digest } from '../digest.ts';
import type { BlobDescriptor } from '../source/source.ts';
import { type TableBytes, tableBytesOf } from './table-bytes.ts';
import { CHUNK, DIGEST_BYTES, HEADER, MAGIC, PACK, readLong, tableBytes } from './table-layout.ts';

/** One chunk: an independent zstd frame. */
export interface Chunk {
  /** Bytes from the start of the part. */
  readonly offset: number;
  /** Raw bytes. */
  readonly length: number;
  /** SHA-256 of the raw bytes, in hexadecimal. */
  readonly sha256: string;
  /** Which of the packs. */
  readonly pack: number;
  /** Bytes from the start of the pack. */
  readonly packedOffset: number;
  readonly packedLength: number;
}

/** What a table is about. */
export interface TableHead {
  readonly blockBytes: number;
  /** Of the longest chunk, raw. */
  readonly maxChunkBytes: number;
  /** Raw size of the part. */
  readonly sizeBytes: number;
  /** Raw bytes of all chunks. */
  readonly dataBytes: number;
}

/** A chunk with its number. */
export interface NumberedChunk extends Chunk {
  readonly index: number;
}

/** Records that are read together; few, since who follows chunks that were moved jumps to and fro. */
const PAGE_CHUNKS = 256;

/** A table that has been checked. */
export class ChunkTable implements TableHead {
  readonly blockBytes: number;
  readonly maxChunkBytes: number;
  readonly sizeBytes: number;
  readonly dataBytes: number;
  readonly packs: readonly BlobDescriptor[];
  /** Number of chunks. */
  readonly count: number;
  /** As it is read and written, not compressed. */
  readonly bytes: TableBytes;
  readonly #firstChunk: number;
  /** Some records, and the number of the first of them. */
  #page: Buffer = Buffer.alloc(0);
  readonly #room = Buffer.allocUnsafeSlow(PAGE_CHUNKS * CHUNK.bytes);
  #pageStart = -1;

  /** @param bytes of a whole table whose counts fit its size: {@link decodeTable} checks them first */
  constructor(bytes: Buffer | TableBytes) {
    this.bytes = tableBytesOf(bytes);
    const header = this.bytes.read(0, Buffer.alloc(HEADER.bytes));
    this.blockBytes = header.readUInt32LE(HEADER.blockBytes);
    this.maxChunkBytes = header.readUInt32LE(HEADER.maxChunkBytes);
    this.sizeBytes = readLong(header, HEADER.sizeBytes);
    this.dataBytes = readLong(header, HEADER.dataBytes);
    const packCount = header.readUInt32LE(HEADER.packCount);
    this.count = header.readUInt32LE(HEADER.chunkCount);
    const packs = this.bytes.read(HEADER.bytes, Buffer.alloc(packCount * PACK.bytes));
    this.packs = Array.from({ length: packCount }, (_, index) => {
      const at = index * PACK.bytes;
      const digest: Digest = `sha256:${packs.toString('hex', at, at + DIGEST_BYTES)}`;
      return { digest, sizeBytes: readLong(packs, at + PACK.sizeBytes) };
    });
    this.#firstChunk = tableBytes(packCount, 0);
  }

  /** @param index from 0 to {@link count} − 1 */
  at(index: number): NumberedChunk {
    const at = this.#recordOf(index);
    const page = this.#page;
    return {
      index,
      offset: readLong(page, at + CHUNK.offset),
      packedOffset: readLong(page, at + CHUNK.packedOffset),
      length: page.readUInt32LE(at + CHUNK.length),
      packedLength: page.readUInt32LE(at + CHUNK.packedLength),
      pack: page.readUInt32LE(at + CHUNK.pack),
      sha256: page.toString('hex', at + CHUNK.digest, at + CHUNK.digest + DIGEST_BYTES),
    };
  }

  /** {@link at} makes an object with a text; where some numbers of every chunk are wanted, that takes longer than all else. */
  offsetOf(index: number): number {
    const at = this.#recordOf(index);
    return readLong(this.#page, at + CHUNK.offset);
  }

  /** As {@link offsetOf}. */
  lengthOf(index: number): number {
    const at = this.#recordOf(index);
    return this.#page.readUInt32LE(at + CHUNK.length);
  }

  /** What a chunk's record has where nothing is defined. */
  reservedOf(index: number): number {
    const at = this.#recordOf(index);
    return this.#page.readUInt32LE(at + CHUNK.reserved);
  }

  /** The first 32 bits of a chunk's digest. */
  digestStart(index: number): number {
    const at = this.#recordOf(index);
    return this.#page.readUInt32BE(at + CHUNK.digest);
  }

  /** Makes it be in the page. @returns where it begins there */
  #recordOf(index: number): number {
    const start = index - (index % PAGE_CHUNKS);
    if (start !== this.#pageStart) {
      const count = Math.min(PAGE_CHUNKS, this.count - start);
      const room = this.#room.subarray(0, count * CHUNK.bytes);
      // A reading that fails may have overwritten some of the page.
      this.#pageStart = -1;
      this.#page = this.bytes.read(this.#firstChunk + start * CHUNK.bytes, room);
      this.#pageStart = start;
    }
    return (index - start) * CHUNK.bytes;
  }

  /** In the order of the part. */
  *chunks(): Generator<NumberedChunk> {
    for (let index = 0; index < this.count; index++) yield this.at(index);
  }
}

/**
 * The bytes of a table, before they are compressed.
 * @param chunks in the order of the part
 */
export function encodeTable(
  head: TableHead,
  packs: readonly BlobDescriptor[],
  chunks: readonly Chunk[],
): Buffer {
  const bytes = Buffer.alloc(tableBytes(packs.length, chunks.length));
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(head.blockBytes, HEADER.blockBytes);
  bytes.writeUInt32LE(head.maxChunkBytes, HEADER.maxChunkBytes);
  bytes.writeBigUInt64LE(BigInt(head.sizeBytes), HEADER.sizeBytes);
  bytes.writeBigUInt64LE(BigInt(head.dataBytes), HEADER.dataBytes);
  bytes.writeUInt32LE(packs.length, HEADER.packCount);
  bytes.writeUInt32LE(chunks.length, HEADER.chunkCount);
  packs.forEach(({ digest, sizeBytes }, index) => {
    const at = HEADER.bytes + index * PACK.bytes;
    bytes.write(digest.slice('sha256:'.length), at, 'hex');
    bytes.writeBigUInt64LE(BigInt(sizeBytes), at + PACK.sizeBytes);
  });
  const first = tableBytes(packs.length, 0);
  chunks.forEach((chunk, index) => {
    const at = first + index * CHUNK.bytes;
    bytes.writeBigUInt64LE(BigInt(chunk.offset), at + CHUNK.offset);
    bytes.writeBigUInt64LE(BigInt(chunk.packedOffset), at + CHUNK.packedOffset);
    bytes.writeUInt32LE(chunk.length, at + CHUNK.length);
    bytes.writeUInt32LE(chunk.packedLength, at + CHUNK.packedLength);
    bytes.writeUInt32LE(chunk.pack, at + CHUNK.pack);
    bytes.write(chunk.sha256, at + CHUNK.digest, 'hex');
  });
  return bytes;
}
