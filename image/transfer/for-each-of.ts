/** Doing the same to many things, a few at a time. */

/**
 * Runs an action on each, at most `parallel` at once. The first failure stops the others.
 * @throws that failure, after all others have ended
 */
export async function forEachOf<T>(
  all: readonly T[],
  parallel: number,
  signal: AbortSignal | undefined,
  action: (one: T, stop: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const queue = all.values();
  const work = async (): Promise<void> => {
    for (const one of queue) {
      stop.throwIfAborted();
      await action(one, stop);
    }
  };
  const workers = Array.from({ length: Math.min(parallel, all.length) }, async () => {
    try {
      await work();
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(workers);
  stop.throwIfAborted();
}
