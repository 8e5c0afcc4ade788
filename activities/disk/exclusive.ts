/** One writer at a time for each disk. */

const tails = new Map<string, Promise<void>>();

/**
 * Runs work on a disk after all earlier work on it has ended. When the server has given up on an attempt that still
 * runs (a worker that was stopped for longer than the heartbeat timeout), the next attempt must wait until the first
 * has noticed and cleaned up.
 * @param diskId the disk's identity
 */
export async function exclusively<T>(diskId: string, work: () => Promise<T>): Promise<T> {
  const before = tails.get(diskId) ?? Promise.resolve();
  const { promise: mine, resolve: end } = Promise.withResolvers<void>();
  const tail = before.then(() => mine);
  tails.set(diskId, tail);
  await before;
  try {
    return await work();
  } finally {
    end();
    if (tails.get(diskId) === tail) tails.delete(diskId);
  }
}
