/** Waiting for one's turn without being deaf to cancellation. */
import { withLock } from '../../host/lock.ts';

/**
 * Runs something while nobody else runs under the same lock file.
 * @param signal stops the waiting at once; what runs already has to obey it itself
 */
export async function alone<T>(path: string, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let isWaiting = true;
  const cancelled = Promise.withResolvers<never>();
  const stopWaiting = (): void => {
    if (isWaiting) cancelled.reject(signal.reason);
  };
  const locked = withLock(path, async () => {
    // Who stopped waiting gets the lock all the same, and lets go of it.
    signal.throwIfAborted();
    isWaiting = false;
    return await action();
  });
  signal.addEventListener('abort', stopWaiting);
  try {
    return await Promise.race([locked, cancelled.promise]);
  } finally {
    signal.removeEventListener('abort', stopWaiting);
  }
}
