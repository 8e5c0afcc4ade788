/** How far a write is, how fast, and how long it will take. */
import { type Batch, NOTHING, sum, type Tally } from './batch.ts';
import type { ByteRange } from './flusher.ts';
import type { WriteProgress, WriteRequest } from './request.ts';

/** Rates are taken over this time: long enough to be calm, short enough to show a disk that slows down. */
const RATE_WINDOW_MS = 5000;
const SAMPLE_MS = 100;

/** Sums up what batches did, and tells it. */
export class ProgressMeter {
  readonly #onProgress: ((progress: WriteProgress) => void) | undefined;
  readonly #totalBytes: number;
  readonly #start = performance.now();
  #phase: WriteProgress['phase'] = 'writing';
  #doneBytes = 0;
  #tally = NOTHING;
  #flushed: readonly ByteRange[];
  #samples: { readonly at: number; readonly bytes: number }[] = [];

  constructor({ part, flushed = [], onProgress }: Pick<WriteRequest, 'part' | 'flushed' | 'onProgress'>) {
    this.#totalBytes = part.dataBytes;
    this.#flushed = flushed;
    this.#onProgress = onProgress;
  }

  get tally(): Tally {
    return this.#tally;
  }

  /** Since the write began. */
  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** A phase begins; its bytes are counted from zero. */
  begin(phase: WriteProgress['phase']): void {
    this.#phase = phase;
    this.#doneBytes = 0;
    this.#samples = [];
  }

  /** A batch is written. */
  add(batch: Batch, tally: Tally): void {
    this.#tally = sum(this.#tally, tally);
    this.done(batch);
  }

  /** A batch is done, of which nothing but its end is to be told. */
  done({ chunks }: Batch): void {
    for (const { length } of chunks) this.#doneBytes += length;
    this.#tell();
  }

  /** More is flushed. */
  flushed(ranges: readonly ByteRange[]): void {
    this.#flushed = ranges;
    this.#tell();
  }

  #tell(): void {
    if (!this.#onProgress) return;
    const bytesPerSecond = this.#rate();
    this.#onProgress({
      ...this.#tally,
      phase: this.#phase,
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      flushed: this.#flushed,
      bytesPerSecond,
      secondsLeft: bytesPerSecond > 0 ? (this.#totalBytes - this.#doneBytes) / bytesPerSecond : undefined,
    });
  }

  #rate(): number {
    const at = performance.now();
    const last = this.#samples.at(-1);
    if (!last || at - last.at >= SAMPLE_MS) {
      this.#samples.push({ at, bytes: this.#doneBytes });
      this.#samples = this.#samples.filter((sample) => at - sample.at <= RATE_WINDOW_MS);
    }
    const [first] = this.#samples;
    if (!first || at === first.at) return 0;
    return ((this.#doneBytes - first.bytes) * 1000) / (at - first.at);
  }
}
