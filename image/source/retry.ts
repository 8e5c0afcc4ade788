/** Trying again: how often and when. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SourceError, Unavailable } from './errors.ts';

/** How often a place is asked. */
export const ROUNDS = 6;
/** Pause after the first time, in milliseconds. */
export const BACKOFF_MS = 500;

const MAX_BACKOFF_MS = 15_000;
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * How long to wait after a round: twice as long each time, or what the servers ask for, in milliseconds.
 * @param round counted from 0
 */
export function pauseMs({
  round,
  backoffMs,
  failures,
}: {
  round: number;
  backoffMs: number;
  failures: Iterable<unknown>;
}): number {
  // Machines that were all refused at once must not all come back at once: a quarter is chance.
  const backoff = Math.min(MAX_BACKOFF_MS, backoffMs * 2 ** round) * (0.75 + Math.random() / 2);
  const asked = [...failures].map((error) => (error instanceof Unavailable ? (error.retryAfterMs ?? 0) : 0));
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(backoff, ...asked));
}

/** Does something with one place, again while its failures may pass. */
export async function withRetries<T>(
  action: () => Promise<T>,
  signal: AbortSignal | undefined,
  { rounds = ROUNDS, backoffMs = BACKOFF_MS }: { rounds?: number; backoffMs?: number } = {},
): Promise<T> {
  for (let round = 0; ; round++) {
    try {
      return await action();
    } catch (error) {
      const isOver = round + 1 >= rounds || !(error instanceof SourceError && error.retryable);
      if (isOver || signal?.aborted) throw error;
      await sleep(pauseMs({ round, backoffMs, failures: [error] }), undefined, signal ? { signal } : {});
    }
  }
}
