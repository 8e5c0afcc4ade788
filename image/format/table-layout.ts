/** The bytes of a chunk table, as docs/image-format.md specifies them; little endian. */

/** First bytes of every table. */
export const MAGIC = Buffer.from('IGTABLE1');

/** Header. */
export const HEADER = {
  bytes: 64,
  blockBytes: 8,
  maxChunkBytes: 12,
  sizeBytes: 16,
  dataBytes: 24,
  packCount: 32,
  chunkCount: 36,
  /** Zeros up to the end of the header. */
  reserved: 40,
} as const;

/** A pack: its SHA-256 and its size. */
export const PACK = { bytes: 40, digest: 0, sizeBytes: 32 } as const;

/** A chunk. */
export const CHUNK = {
  bytes: 64,
  offset: 0,
  packedOffset: 8,
  length: 16,
  packedLength: 20,
  pack: 24,
  /** Zeros. */
  reserved: 28,
  digest: 32,
} as const;

/** Bytes of a SHA-256. */
export const DIGEST_BYTES = 32;

/** @returns size of a table */
export const tableBytes = (packCount: number, chunkCount: number): number =>
  HEADER.bytes + packCount * PACK.bytes + chunkCount * CHUNK.bytes;

/** Reads 64 bits; more than 2^53 is as wrong as any other number that is too large. */
export const readLong = (bytes: Buffer, offset: number): number =>
  bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 2 ** 32;
