/** What a target that holds another image already needs not be given: chunks at their place, and chunks at another place. */
import type { Batch, BatchChunk } from './batch.ts';
import type { BatchLimits } from './plan.ts';
import type { WritePart } from './request.ts';

/** How the chunks of the held image serve the new one. */
export interface ReusePlan {
  /** To be done before anything else is written, in this order: nothing that is to be copied is overwritten before it is. */
  copies(mode: Batch['mode']): Iterable<Batch>;
  /** All chunks; those that should lie at their place already say so. */
  chunks(): Iterable<BatchChunk>;
  /** The same batches without the chunks that were copied. */
  withoutCopied(batches: Iterable<Batch>): Iterable<Batch>;
}

/** A chunk that lies elsewhere. */
interface Move extends BatchChunk {
  readonly from: number;
}

/** What of the held image is still there. */
export interface Remains {
  /** So many bytes at its start are erased first. */
  readonly destroyedBytes: number;
  /** Where the target ends, or the held image. */
  readonly endBytes: number;
}

/** Plans what is kept and what is copied. */
export function reusePlan(
  part: WritePart,
  held: WritePart,
  { limits, destroyedBytes, endBytes }: Remains & { readonly limits: BatchLimits },
): ReusePlan {
  const places = placesOf(held, { destroyedBytes, endBytes });
  const moves: Move[] = [];
  for (const chunk of keptIn(part, held)) {
    const from = chunk.from ?? places.get(keyOf(chunk));
    if (chunk.offset < destroyedBytes || from === undefined || from === chunk.offset) continue;
    moves.push({ ...chunk, from });
  }
  const ordered = inOrder(moves);
  const copied = new Set(ordered.map(({ index }) => index));
  return {
    copies: (mode) => inBatches(ordered, limits, mode),
    chunks: () => keptIn(part, held),
    withoutCopied: function* (batches) {
      for (const batch of batches) {
        yield { ...batch, chunks: batch.chunks.filter(({ index }) => !copied.has(index)) };
      }
    },
  };
}

/** 48 bits of the digest: a number takes a fifth of the memory of a string, and every hash is compared in full later. */
const keyOf = ({ sha256 }: BatchChunk): number => Number.parseInt(sha256.slice(0, 12), 16);

function placesOf(held: WritePart, { destroyedBytes, endBytes }: Remains): ReadonlyMap<number, number> {
  const places = new Map<number, number>();
  for (const chunk of held.chunks())
    if (chunk.offset >= destroyedBytes && chunk.offset + chunk.length <= endBytes)
      places.set(keyOf(chunk), chunk.offset);
  return places;
}

/** The chunks of the part; where the held image has the same one at the same place, it says so. */
function* keptIn(part: WritePart, held: WritePart): Generator<BatchChunk> {
  const others = held.chunks()[Symbol.iterator]();
  let other = others.next();
  for (const chunk of part.chunks()) {
    while (!other.done && other.value.offset < chunk.offset) other = others.next();
    const isKept = !other.done && other.value.offset === chunk.offset && other.value.sha256 === chunk.sha256;
    yield isKept ? { ...chunk, from: chunk.offset } : chunk;
  }
}

/**
 * Moves towards the start of the disk from its start on, then moves towards its end from its end on: then a move never destroys
 * the source of a later one of its kind. Those of the second kind whose source the first kind destroys are left out, to be fetched.
 */
function inOrder(moves: readonly Move[]): readonly Move[] {
  const down = moves.filter(({ from, offset }) => from > offset);
  const up = moves.filter(({ from, offset }) => from < offset).reverse();
  const isDestroyed = ({ from, length }: Move): boolean => {
    // The first that ends behind the beginning of the source; the moves are in order and do not overlap.
    let [low, high] = [0, down.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const move = down[middle];
      if (move && move.offset + move.length <= from) low = middle + 1;
      else high = middle;
    }
    const next = down[low];
    return next !== undefined && next.offset < from + length;
  };
  return [...down, ...up.filter((move) => !isDestroyed(move))];
}

function* inBatches(
  moves: readonly Move[],
  { rawBytes }: BatchLimits,
  mode: Batch['mode'],
): Generator<Batch> {
  let chunks: Move[] = [];
  let bytes = 0;
  for (const move of moves) {
    if (bytes + move.length > rawBytes) {
      yield batchOf(chunks, mode);
      chunks = [];
      bytes = 0;
    }
    chunks.push(move);
    bytes += move.length;
  }
  if (chunks.length > 0) yield batchOf(chunks, mode);
}

function batchOf(chunks: readonly Move[], mode: Batch['mode']): Batch {
  const start = Math.min(...chunks.map(({ offset }) => offset));
  const end = Math.max(...chunks.map(({ offset, length }) => offset + length));
  return { start, end, chunks, zeros: [], mode };
}
