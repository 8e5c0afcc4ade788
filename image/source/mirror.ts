/** What is known of one of several places with the same image. */
import type { Digest } from '../digest.ts';
import type { ImageSource } from './source.ts';

/** After a failure a place rests: longer each time, at most a minute. */
const FIRST_REST_MS = 1000;
const LONGEST_REST_MS = 60_000;

/** How much a new measurement counts in the mean rate. */
const NEW_WEIGHT = 0.3;

/** A place, its health, and what it is not trusted with. */
export class Mirror {
  readonly source: ImageSource;
  /** Blobs of which it gave wrong bytes. */
  readonly distrusted = new Set<Digest>();
  #failures = 0;
  #restUntil = 0;
  #bytesPerSecond: number | undefined;

  constructor(source: ImageSource) {
    this.source = source;
  }

  /** Mean of the last ranges; undefined before the first. */
  get bytesPerSecond(): number | undefined {
    return this.#bytesPerSecond;
  }

  /** Asked only when the others have failed. */
  isResting(now: number): boolean {
    return now < this.#restUntil;
  }

  /** It failed, or was much slower than another. */
  failed(now: number): void {
    this.#restUntil = now + Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** this.#failures);
    this.#failures += 1;
  }

  gave(bytes: number, elapsedMs: number): void {
    this.#failures = 0;
    this.#restUntil = 0;
    const rate = (bytes * 1000) / Math.max(elapsedMs, 1);
    const before = this.#bytesPerSecond ?? rate;
    this.#bytesPerSecond = before + NEW_WEIGHT * (rate - before);
  }
}
