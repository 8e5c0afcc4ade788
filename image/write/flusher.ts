/** Keeps account of what is surely on the disk: what was written before a flush began that has ended. */
import { setTimeout as sleep } from 'node:timers/promises';

/** A half-open range of bytes of the image: from, up to but without. */
export type ByteRange = readonly [start: number, end: number];

/** Between two flushes: often enough that little is lost, seldom enough to cost nothing. */
const PAUSE_MS = 100;

/** What is flushed how, and who is told. */
export interface Flushing {
  flush(): Promise<void>;
  onFlushed(ranges: readonly ByteRange[]): void;
  /** Nothing more is flushed: whatever is written now is written for nothing. {@link Flusher.end} throws it, too. */
  onFailure(failure: unknown): void;
}

/** Flushes while there is something to flush, and says what is flushed. */
export class Flusher {
  readonly #flush: () => Promise<void>;
  readonly #onFlushed: (ranges: readonly ByteRange[]) => void;
  readonly #onFailure: (failure: unknown) => void;
  #written: ByteRange[] = [];
  #flushed: readonly ByteRange[];
  #running: Promise<void> | undefined;
  #failure: unknown;

  /** @param flushed what is known to be on the disk at the start */
  constructor(flushed: readonly ByteRange[], { flush, onFlushed, onFailure }: Flushing) {
    this.#flushed = flushed;
    this.#flush = flush;
    this.#onFlushed = onFlushed;
    this.#onFailure = onFailure;
  }

  /** A region is written; a flush will follow. */
  written(range: ByteRange): void {
    this.#written.push(range);
    this.#running ??= this.#runUntilClean();
  }

  /**
   * Returns when everything written so far is flushed.
   * @throws what a flush has thrown, now or before
   */
  async end(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#flushOnce();
  }

  async #runUntilClean(): Promise<void> {
    try {
      while (this.#written.length > 0) {
        await sleep(PAUSE_MS);
        await this.#flushOnce();
      }
    } catch (error) {
      this.#failure ??= error;
      this.#onFailure(error);
    } finally {
      this.#running = undefined;
    }
  }

  async #flushOnce(): Promise<void> {
    const ranges = this.#written;
    this.#written = [];
    await this.#flush();
    if (ranges.length === 0) return;
    this.#flushed = merged([...this.#flushed, ...ranges]);
    this.#onFlushed(this.#flushed);
  }
}

/** The same bytes in the fewest ranges, in order. */
export function merged(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const result: [number, number][] = [];
  for (const [start, end] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}
