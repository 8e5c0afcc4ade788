/** Where a held image has which bytes: numbers in a row, since an image may have two million chunks. */
import { MAX_CHUNKS } from '../format/limits.ts';
import type { WritePart } from './request.ts';

/** More than any number of a chunk. */
const INDEX_SPAN = MAX_CHUNKS;

/** Finds chunks by the beginning of their digest: what is read there is compared in full later. */
export class Places {
  /** Sorted: 32 bits of the digest, then 21 bits of the chunk's number; together what a double holds. */
  readonly #entries: Float64Array;

  /** @param isThere which of the chunks are to be found */
  constructor(held: WritePart, isThere: (index: number) => boolean) {
    const entries = new Float64Array(held.count);
    let count = 0;
    for (let index = 0; index < held.count; index++)
      if (isThere(index)) entries[count++] = held.digestStart(index) * INDEX_SPAN + index;
    this.#entries = entries.subarray(0, count).sort();
  }

  /** The number of the last chunk in the image whose digest begins like this. */
  find(digestStart: number): number | undefined {
    const from = digestStart * INDEX_SPAN;
    // The first entry behind all that begin like this.
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entry(middle) < from + INDEX_SPAN) low = middle + 1;
      else high = middle;
    }
    return low > 0 && this.#entry(low - 1) >= from ? this.#entry(low - 1) - from : undefined;
  }

  #entry(at: number): number {
    return this.#entries[at] ?? Number.NaN;
  }
}
