/** Several places with the same image as one source; also what makes one place bearable: retries, backoff, deadlines. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AllSourcesFailed, NotFound, SourceError, Unavailable } from './errors.ts';
import { firstOf } from './first-of.ts';
import { Mirror } from './mirror.ts';
import { BACKOFF_MS, pauseMs, ROUNDS } from './retry.ts';
import { ServedRanges } from './served-ranges.ts';
import type { BlobDescriptor, ImageSource, ManifestBytes, RangeOptions } from './source.ts';

/** How patient to be. */
export interface PatienceOptions {
  /** How often every place is asked; default 6. */
  readonly rounds?: number;
  /** Pause after the first round; doubles with each, at most 15 s, and up to a quarter shorter or longer; default 500 ms. */
  readonly backoffMs?: number;
  /** For one request with all its tries; default 5 minutes. */
  readonly deadlineMs?: number;
  /**
   * When another place is asked beside one that has not answered; default 3 s, or four times what the range takes at the
   * best rate seen, where that is longer.
   */
  readonly patienceMs?: number;
}

const PATIENCE_FACTOR = 4;

/** One request to whichever place can answer it. */
interface Request<T> {
  readonly doing: string;
  readonly signal: AbortSignal | undefined;
  readonly candidates: readonly Mirror[];
  readonly patienceMs: number;
  readonly ask: (mirror: Mirror, signal: AbortSignal) => Promise<T>;
}

/** Reads from the first place that can; the order is that of preference. */
export class MirroredSource implements ImageSource {
  readonly name: string;
  readonly #mirrors: readonly Mirror[];
  readonly #served = new ServedRanges<Mirror>();
  readonly #rounds: number;
  readonly #backoffMs: number;
  readonly #deadlineMs: number;
  readonly #patienceMs: number;

  /** @param sources at least one; closed with this */
  constructor(sources: readonly ImageSource[], options: PatienceOptions = {}) {
    if (sources.length === 0) throw new RangeError('reading an image: no source is named');
    this.#mirrors = sources.map((source) => new Mirror(source));
    this.name = sources.map(({ name }) => name).join(', ');
    this.#rounds = options.rounds ?? ROUNDS;
    this.#backoffMs = options.backoffMs ?? BACKOFF_MS;
    this.#deadlineMs = options.deadlineMs ?? 300_000;
    this.#patienceMs = options.patienceMs ?? 3000;
  }

  async manifest(signal?: AbortSignal): Promise<ManifestBytes> {
    return await this.#request({
      doing: 'reading the manifest',
      signal,
      candidates: this.#mirrors,
      patienceMs: this.#patienceMs,
      ask: ({ source }, stop) => source.manifest(stop),
    });
  }

  async attached(tag: string, signal?: AbortSignal): Promise<ManifestBytes | undefined> {
    const doing = `reading the manifest ${tag}`;
    try {
      return await this.#request({
        doing,
        signal,
        candidates: this.#mirrors,
        patienceMs: this.#patienceMs,
        ask: async ({ source }, stop) => {
          const found = await source.attached(tag, stop);
          // One place without it is no proof: another may have it.
          if (!found) throw new NotFound({ doing, source: source.name }, 'there is none');
          return found;
        },
      });
    } catch (error) {
      // All must have said so: one that fails could be the one that has it.
      const failures = error instanceof AllSourcesFailed ? error.failures : [error];
      if (failures.every((failure) => failure instanceof NotFound)) return undefined;
      throw error;
    }
  }

  async blob(blob: BlobDescriptor, signal?: AbortSignal): Promise<Buffer> {
    return await this.#request({
      doing: `reading ${blob.digest}`,
      signal,
      candidates: this.#trustedWith(blob),
      patienceMs: this.#patienceFor(blob.sizeBytes),
      ask: async (mirror, stop) => await timed(mirror, () => mirror.source.blob(blob, stop)),
    });
  }

  async range(
    blob: BlobDescriptor,
    offset: number,
    length: number,
    { signal, allocate }: RangeOptions = {},
  ): Promise<Buffer> {
    return await this.#request({
      doing: `reading bytes ${offset} to ${offset + length - 1} of ${blob.digest}`,
      signal,
      candidates: this.#trustedWith(blob),
      patienceMs: this.#patienceFor(length),
      ask: async (mirror, stop) => {
        const bytes = await timed(mirror, () =>
          mirror.source.range(blob, offset, length, { signal: stop, allocate }),
        );
        this.#served.add({ digest: blob.digest, offset, length, by: mirror });
        return bytes;
      },
    });
  }

  reject(blob: BlobDescriptor, offset: number, length: number): boolean {
    const mirror = this.#served.whoGave({ digest: blob.digest, offset, length });
    if (mirror && this.#trustedWith(blob).some((other) => other !== mirror)) {
      mirror.distrusted.add(blob.digest);
      return true;
    }
    return mirror?.source.reject(blob, offset, length) ?? false;
  }

  async close(): Promise<void> {
    await Promise.all(this.#mirrors.map(({ source }) => source.close()));
  }

  #trustedWith({ digest }: BlobDescriptor): readonly Mirror[] {
    return this.#mirrors.filter(({ distrusted }) => !distrusted.has(digest));
  }

  #patienceFor(bytes: number): number {
    const best = Math.max(0, ...this.#mirrors.map(({ bytesPerSecond }) => bytesPerSecond ?? 0));
    return best === 0
      ? this.#patienceMs
      : Math.max(this.#patienceMs, (PATIENCE_FACTOR * bytes * 1000) / best);
  }

  async #request<T>({ doing, signal, candidates, patienceMs, ask }: Request<T>): Promise<T> {
    const deadline = AbortSignal.timeout(this.#deadlineMs);
    const until = signal ? AbortSignal.any([signal, deadline]) : deadline;
    const failures = new Map<Mirror, Error>();
    const observer = {
      failed: (mirror: Mirror, error: unknown) => {
        mirror.failed(Date.now());
        failures.set(mirror, error instanceof Error ? error : new Error(String(error)));
      },
      overtaken: (mirror: Mirror) => mirror.failed(Date.now()),
    };
    try {
      for (let round = 0; ; round++) {
        const worthAsking = candidates.filter((mirror) => isRetryable(failures.get(mirror)));
        const answer = await firstOf(
          restedFirst(worthAsking),
          async (mirror, stop) => [await ask(mirror, stop)] as const,
          {
            patienceMs,
            signal: until,
            observer,
          },
        );
        if (answer) return answer[0];
        const isOver =
          round + 1 >= this.#rounds || !candidates.some((mirror) => isRetryable(failures.get(mirror)));
        if (isOver) throw failureOf(doing, [...failures.values()]);
        await sleep(pauseMs({ round, backoffMs: this.#backoffMs, failures: failures.values() }), undefined, {
          signal: until,
        });
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!deadline.aborted) throw error;
      const late = new Unavailable({ doing, source: this.name }, 'not within the time limit', {
        expected: `${this.#deadlineMs} ms`,
        found: 'no answer',
      });
      throw failureOf(doing, [...failures.values(), late]);
    }
  }
}

/** A place that has not failed yet is worth asking, and one whose failure may pass. */
function isRetryable(failure: Error | undefined): boolean {
  return failure === undefined || (failure instanceof SourceError && failure.retryable);
}

function restedFirst(mirrors: readonly Mirror[]): readonly Mirror[] {
  const now = Date.now();
  return mirrors.toSorted((a, b) => Number(a.isResting(now)) - Number(b.isResting(now)));
}

async function timed(mirror: Mirror, read: () => Promise<Buffer>): Promise<Buffer> {
  const start = performance.now();
  const bytes = await read();
  mirror.gave(bytes.length, performance.now() - start);
  return bytes;
}

/** The failure itself where there is one, else all of them. */
function failureOf(doing: string, failures: readonly Error[]): Error {
  const [first, ...others] = failures;
  return first && others.length === 0 ? first : new AllSourcesFailed(doing, failures);
}
