/**
 * The chunk table of one part: which bytes of the image are where in which pack. What no chunk covers is zero.
 *
 * It stays the bytes that it was read as: a million objects would cost ten times the memory.
 */
import type { Digest } from '../digest.ts';
import type { BlobDescriptor } from '../source/source.ts';
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
  readonly bytes: Buffer;
  readonly #firstChunk: number;

  /** @param bytes of a whole table whose counts fit its size: {@link decodeTable} checks them first */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.blockBytes = bytes.readUInt32LE(HEADER.blockBytes);
    this.maxChunkBytes = bytes.readUInt32LE(HEADER.maxChunkBytes);
    this.sizeBytes = readLong(bytes, HEADER.sizeBytes);
    this.dataBytes = readLong(bytes, HEADER.dataBytes);
    const packCount = bytes.readUInt32LE(HEADER.packCount);
    this.count = bytes.readUInt32LE(HEADER.chunkCount);
    this.packs = Array.from({ length: packCount }, (_, index) => {
      const at = HEADER.bytes + index * PACK.bytes;
      const digest: Digest = `sha256:${bytes.toString('hex', at, at + DIGEST_BYTES)}`;
      return { digest, sizeBytes: readLong(bytes, at + PACK.sizeBytes) };
    });
    this.#firstChunk = tableBytes(packCount, 0);
  }

  /** @param index from 0 to {@link count} − 1 */
  at(index: number): NumberedChunk {
    const { bytes } = this;
    const at = this.#firstChunk + index * CHUNK.bytes;
    return {
      index,
      offset: readLong(bytes, at + CHUNK.offset),
      packedOffset: readLong(bytes, at + CHUNK.packedOffset),
      length: bytes.readUInt32LE(at + CHUNK.length),
      packedLength: bytes.readUInt32LE(at + CHUNK.packedLength),
      pack: bytes.readUInt32LE(at + CHUNK.pack),
      sha256: bytes.toString('hex', at + CHUNK.digest, at + CHUNK.digest + DIGEST_BYTES),
    };
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
