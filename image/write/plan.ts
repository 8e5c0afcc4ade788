/** Cuts an image into batches, in the order of the disk. */
import type { Batch, BatchChunk, Extent } from './batch.ts';
import { wholeBlocks } from './slab-layout.ts';
import { SMALL_ZEROS_BYTES } from './zeros.ts';

/** How large batches are. */
export interface BatchLimits {
  /** Raw bytes, with the small runs of zeros between the chunks; at least the longest chunk. */
  readonly rawBytes: number;
  /** Bytes in the pack: what is fetched at once, and again after a kill. */
  readonly packedBytes: number;
}

/** A region of the image that is being put together. */
class OpenBatch {
  readonly chunks: BatchChunk[] = [];
  readonly zeros: Extent[] = [];
  readonly #start: number;
  #end: number;
  #raw = 0;
  #packed = 0;

  constructor(start: number) {
    this.#start = start;
    this.#end = start;
  }

  hasRoomFor(gap: number, chunk: BatchChunk, limits: BatchLimits): boolean {
    return (
      this.#raw + zerosInSlab(gap) + wholeBlocks(chunk.length) <= limits.rawBytes &&
      this.#packed + chunk.packedLength <= limits.packedBytes
    );
  }

  addZeros(length: number): void {
    if (length === 0) return;
    this.zeros.push({ offset: this.#end, length });
    this.#end += length;
    this.#raw += zerosInSlab(length);
  }

  /** The chunk begins where the region ends. */
  add(chunk: BatchChunk): void {
    this.chunks.push(chunk);
    this.#end += chunk.length;
    this.#raw += wholeBlocks(chunk.length);
    this.#packed += chunk.packedLength;
  }

  done(): Batch {
    return { start: this.#start, end: this.#end, chunks: this.chunks, zeros: this.zeros, mode: 'write' };
  }
}

/**
 * All of a region of an image, in order, each byte in one batch.
 * @param chunks in order; those before the region are left out
 */
export function* batchesOf(
  chunks: Iterable<BatchChunk>,
  region: { start: number; end: number },
  limits: BatchLimits,
): Generator<Batch> {
  let open = new OpenBatch(region.start);
  let at = region.start;
  for (const chunk of chunks) {
    if (chunk.offset < at) continue;
    const gap = chunk.offset - at;
    if (open.chunks.length > 0 && !open.hasRoomFor(gap, chunk, limits)) {
      yield open.done();
      open = new OpenBatch(at);
    }
    open.addZeros(gap);
    open.add(chunk);
    at = chunk.offset + chunk.length;
  }
  if (open.chunks.length > 0) yield open.done();
  if (at === region.end) return;
  const rest = new OpenBatch(at);
  rest.addZeros(region.end - at);
  yield rest.done();
}

/** Long runs of zeros are not written from a slab. */
const zerosInSlab = (length: number): number => (length >= SMALL_ZEROS_BYTES ? 0 : wholeBlocks(length));
