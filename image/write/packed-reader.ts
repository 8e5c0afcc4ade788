/** Fetches the compressed bytes of chunks: neighbours in a pack in one request. */
import type { BlobDescriptor, ImageSource } from '../source/source.ts';
import type { BatchChunk } from './batch.ts';

/** Two ranges with less than this between them are fetched as one: that costs less than another request. */
const MAX_GAP_BYTES = 32 << 10;
/** One request asks for so much at most: memory, and what is lost when it fails. */
const MAX_RANGE_BYTES = 8 << 20;

/** The compressed bytes of some chunks, and what was fetched for them. */
export interface Packed {
  readonly bytes: ReadonlyMap<BatchChunk, Buffer>;
  readonly fetchedBytes: number;
  /** Gives the memory back at once: garbage collection lets a hundred megabytes gather first. */
  release(): void;
}

/** Nothing fetched. */
export const NO_PACKED: Packed = { bytes: new Map(), fetchedBytes: 0, release: () => undefined };

interface Range {
  readonly pack: number;
  readonly offset: number;
  end: number;
  readonly chunks: BatchChunk[];
}

/**
 * Fetches the bytes of chunks; unverified.
 * @throws SourceError, AllSourcesFailed
 */
export async function readPacked(
  source: ImageSource,
  packs: readonly BlobDescriptor[],
  chunks: readonly BatchChunk[],
  signal: AbortSignal,
): Promise<Packed> {
  const bytes = new Map<BatchChunk, Buffer>();
  const fetched: Buffer[] = [];
  await Promise.all(
    rangesOf(chunks).map(async ({ pack, offset, end, chunks }) => {
      const data = await source.range(packOf(packs, pack), offset, end - offset, signal);
      fetched.push(data);
      for (const chunk of chunks) {
        const at = chunk.packedOffset - offset;
        bytes.set(chunk, data.subarray(at, at + chunk.packedLength));
      }
    }),
  );
  return {
    bytes,
    fetchedBytes: fetched.reduce((total, { length }) => total + length, 0),
    release: () => {
      for (const { buffer, length } of fetched) {
        // A small one may lie in memory that it shares.
        if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
      }
    },
  };
}

/** @throws RangeError, which a verified table never causes */
export function packOf(packs: readonly BlobDescriptor[], index: number): BlobDescriptor {
  const pack = packs[index];
  if (!pack) throw new RangeError(`pack ${index} of an image with ${packs.length}`);
  return pack;
}

function rangesOf(chunks: readonly BatchChunk[]): readonly Range[] {
  const ranges: Range[] = [];
  const byPlace = chunks.toSorted((a, b) => a.pack - b.pack || a.packedOffset - b.packedOffset);
  for (const chunk of byPlace) {
    const { pack, packedOffset: offset, packedLength } = chunk;
    const last = ranges.at(-1);
    const end = offset + packedLength;
    if (last?.pack === pack && offset - last.end <= MAX_GAP_BYTES && end - last.offset <= MAX_RANGE_BYTES) {
      // Equal chunks share one place.
      last.end = Math.max(last.end, end);
      last.chunks.push(chunk);
    } else ranges.push({ pack, offset, end, chunks: [chunk] });
  }
  return ranges;
}
