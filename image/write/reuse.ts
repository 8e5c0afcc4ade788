/** What a target that holds another image already needs not be given: chunks at their place, and chunks at another place. */
import type { Batch, BatchChunk } from './batch.ts';
import { Places } from './places.ts';
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
  { limits, ...remains }: Remains & { readonly limits: BatchLimits },
): ReusePlan {
  const moves = new Moves(part, held, remains);
  return {
    copies: (mode) => inBatches(moves.inOrder(), limits, mode),
    chunks: () => keptIn(part, held),
    withoutCopied: function* (batches) {
      for (const batch of batches) {
        yield { ...batch, chunks: batch.chunks.filter(({ index }) => !moves.has(index)) };
      }
    },
  };
}

/** Which chunks are copied from where: a number for each chunk of the part, since there may be two million of them. */
class Moves {
  readonly #part: WritePart;
  readonly #held: WritePart;
  /** The number of the held chunk, counted from 1; less than 0 where it lies nearer to the start of the disk. 0: it is not copied. */
  readonly #sources: Int32Array;

  constructor(part: WritePart, held: WritePart, remains: Remains) {
    this.#part = part;
    this.#held = held;
    this.#sources = new Int32Array(part.count);
    this.#find(remains);
    this.#dropDestroyed();
  }

  has(index: number): boolean {
    return this.#sources[index] !== 0;
  }

  /**
   * Moves towards the start of the disk from its start on, then moves towards its end from its end on: then a move never destroys
   * the source of a later one of its kind.
   */
  *inOrder(): Generator<Move> {
    const { count } = this.#part;
    for (let index = 0; index < count; index++) if (this.#source(index) > 0) yield this.#move(index);
    for (let index = count - 1; index >= 0; index--) if (this.#source(index) < 0) yield this.#move(index);
  }

  #find({ destroyedBytes, endBytes }: Remains): void {
    const [part, held] = [this.#part, this.#held];
    const places = new Places(held, (index) => {
      const offset = held.offsetOf(index);
      return offset >= destroyedBytes && offset + held.lengthOf(index) <= endBytes;
    });
    for (const { index, offset, length, from } of keptIn(part, held)) {
      if (from !== undefined || offset < destroyedBytes) continue;
      const found = places.find(part.digestStart(index));
      if (found === undefined || held.lengthOf(found) !== length) continue;
      const place = held.offsetOf(found);
      if (place !== offset) this.#sources[index] = place > offset ? found + 1 : -(found + 1);
    }
  }

  /** Those of the second kind whose source the first kind destroys are left out, to be fetched. */
  #dropDestroyed(): void {
    const [part, held] = [this.#part, this.#held];
    const isDestroyed = new Uint8Array(held.count);
    let behind = 0;
    for (let index = 0; index < part.count; index++) {
      if (this.#source(index) <= 0) continue;
      const start = part.offsetOf(index);
      const end = start + part.lengthOf(index);
      while (behind < held.count && held.offsetOf(behind) + held.lengthOf(behind) <= start) behind++;
      for (let other = behind; other < held.count && held.offsetOf(other) < end; other++)
        isDestroyed[other] = 1;
    }
    for (let index = 0; index < part.count; index++) {
      const source = this.#source(index);
      if (source < 0 && isDestroyed[-source - 1] === 1) this.#sources[index] = 0;
    }
  }

  #move(index: number): Move {
    return { ...this.#part.at(index), from: this.#held.offsetOf(Math.abs(this.#source(index)) - 1) };
  }

  #source(index: number): number {
    return this.#sources[index] ?? 0;
  }
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

function* inBatches(moves: Iterable<Move>, { rawBytes }: BatchLimits, mode: Batch['mode']): Generator<Batch> {
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
