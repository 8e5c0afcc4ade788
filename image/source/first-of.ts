/** Asking several places for the same thing, the next when one fails or lets us wait. */

/** What {@link firstOf} tells of those that it asked. */
export interface Observer<Candidate> {
  failed(candidate: Candidate, error: unknown): void;
  /** Another answered, although it was asked later. */
  overtaken(candidate: Candidate): void;
}

/**
 * Asks the candidates in order until one answers. The next one is asked when one fails, and, beside it, when
 * it has not answered within the patience; whoever answers first wins, and the others are stopped.
 * @returns undefined where all failed; the observer knows why
 * @throws the signal's reason
 */
export async function firstOf<Candidate, T>(
  candidates: readonly Candidate[],
  ask: (candidate: Candidate, signal: AbortSignal) => Promise<T>,
  {
    patienceMs,
    signal,
    observer,
  }: { patienceMs: number; signal: AbortSignal; observer: Observer<Candidate> },
): Promise<T | undefined> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  const stop = new AbortController();
  const asked = AbortSignal.any([signal, stop.signal]);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const running = new Set<Candidate>();
  let next = 0;
  let timer: NodeJS.Timeout | undefined;

  const askNext = (): void => {
    clearTimeout(timer);
    const candidate = candidates[next++];
    if (candidate === undefined) {
      if (running.size === 0) resolve(undefined);
      return;
    }
    running.add(candidate);
    if (next < candidates.length) timer = setTimeout(askNext, patienceMs);
    ask(candidate, asked).then(
      (answer) => {
        // Those asked before this one and still silent were slower.
        for (const slower of running) {
          if (slower === candidate) break;
          if (!stop.signal.aborted) observer.overtaken(slower);
        }
        stop.abort();
        resolve(answer);
      },
      (error: unknown) => {
        running.delete(candidate);
        // Stopped ones fail too, and that says nothing about them.
        if (asked.aborted) return;
        observer.failed(candidate, error);
        askNext();
      },
    );
  };

  askNext();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    stop.abort();
  }
}
