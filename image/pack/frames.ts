/** Compresses chunks on several cores and gives them back in order: which thread was faster does not show. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import type { RawChunk } from './cut.ts';

const compress = promisify(zstdCompress);

/** A chunk as it goes into a pack. */
export interface Frame {
  readonly offset: number;
  readonly length: number;
  /** SHA-256 of the raw bytes, in hexadecimal. */
  readonly sha256: string;
  /** Undefined for one whose bytes came before: it has its place already. */
  readonly packed: Buffer | undefined;
}

/** Raw bytes that are being compressed, at most; with the results as much again. */
const IN_FLIGHT_BYTES = 32 * 2 ** 20;
/** However small they are: a compressor needs more memory than a small chunk. */
const IN_FLIGHT_CHUNKS = 128;

/**
 * @param level of zstd, 1 to 19
 * @param seen digests that have a place; those of this stream are added
 */
export async function* framesOf(
  chunks: AsyncIterable<RawChunk>,
  level: number,
  seen: Set<string>,
): AsyncGenerator<Frame> {
  const inFlight: { readonly frame: Promise<Frame>; readonly length: number }[] = [];
  let bytesInFlight = 0;
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  try {
    for await (const { offset, bytes } of chunks) {
      const { length } = bytes;
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const isNew = !seen.has(sha256);
      seen.add(sha256);
      const frame = (async (): Promise<Frame> => ({
        offset,
        length,
        sha256,
        // A compressor that knows the size takes tables to fit: half the CPU time for chunks of 64 KiB.
        packed: isNew ? await compress(bytes, { params, pledgedSrcSize: length }) : undefined,
      }))();
      inFlight.push({ frame, length });
      bytesInFlight += length;
      while (bytesInFlight > IN_FLIGHT_BYTES || inFlight.length > IN_FLIGHT_CHUNKS) {
        const first = inFlight.shift();
        if (!first) break;
        bytesInFlight -= first.length;
        yield await first.frame;
      }
    }
    for (const { frame } of inFlight.splice(0)) yield await frame;
  } finally {
    // Whoever stopped listening: nothing may fail unheard, nor go on behind.
    await Promise.allSettled(inFlight.map(({ frame }) => frame));
  }
}
