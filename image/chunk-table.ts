/**
 * The chunk table of a filesystem or disk image: what its bytes are, chunk by chunk, so that they can be verified before
 * they are written, found on a disk that holds them already, and read back.
 */
import { z } from 'zod';
import { type Digest, digestOf } from './digest.ts';

/** Bytes of a chunk; the last one may be shorter. Large enough for a disk's full speed, small enough to lose. */
export const CHUNK_BYTES = 4 * 1024 * 1024;

/** A table larger than this is no table: 64 MiB describe an image of 3.5 TB. */
const MAX_TABLE_BYTES = 64 * 1024 * 1024;

const MAX_IMAGE_BYTES = 2 ** 50;

const chunkTableSchema = z
  .strictObject({
    version: z.literal(1),
    sizeBytes: z.number().int().positive().max(MAX_IMAGE_BYTES),
    chunkBytes: z.literal(CHUNK_BYTES),
    /** In order: the SHA-256 of the chunk's bytes in hexadecimal, or '' where all of them are zero. */
    chunks: z.array(z.string().regex(/^([0-9a-f]{64})?$/)),
  })
  .refine(({ sizeBytes, chunks }) => chunks.length === Math.ceil(sizeBytes / CHUNK_BYTES), {
    message: 'the number of chunks does not fit the size',
  });

/** @see chunkTableSchema */
export type ChunkTable = Readonly<z.infer<typeof chunkTableSchema>>;

/** One chunk of an image. */
export interface Chunk {
  readonly index: number;
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly length: number;
  /** Undefined where all bytes are zero. */
  readonly digest: Digest | undefined;
}

/** The chunks of a table, in order. */
export function* chunksOf(table: ChunkTable): Generator<Chunk> {
  for (const [index, hex] of table.chunks.entries()) {
    const offset = index * CHUNK_BYTES;
    const length = Math.min(CHUNK_BYTES, table.sizeBytes - offset);
    yield { index, offset, length, digest: hex === '' ? undefined : `sha256:${hex}` };
  }
}

/** Bytes of the chunks that are not all zero. */
export function dataBytes(table: ChunkTable): number {
  let sum = 0;
  for (const { length, digest } of chunksOf(table)) if (digest) sum += length;
  return sum;
}

/** The table as it is stored; equal tables give equal text, so its digest is the identity of the image's bytes. */
export function encodeChunkTable({ version, sizeBytes, chunkBytes, chunks }: ChunkTable): string {
  return `${JSON.stringify({ version, sizeBytes, chunkBytes, chunks })}\n`;
}

/**
 * Reads a table.
 * @param expected digest of the text, where it is known; checked first
 * @throws Error saying what is wrong with it
 */
export function decodeChunkTable(text: string, expected?: Digest): ChunkTable {
  if (text.length > MAX_TABLE_BYTES)
    throw new Error(`reading a chunk table: ${text.length} bytes are too many`);
  const found = digestOf(text);
  if (expected && found !== expected) {
    throw new Error(`reading a chunk table: expected ${expected}, found ${found}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error('reading a chunk table: it is no JSON', { cause });
  }
  const parsed = chunkTableSchema.safeParse(value);
  if (!parsed.success) throw new Error(`reading a chunk table: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
