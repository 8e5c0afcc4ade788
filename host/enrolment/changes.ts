/** Changes of the gateway's state, one after the other: in this process by a queue, between processes by a lock. */
import { withLock } from '../lock.ts';
import type { GatewayPaths } from './paths.ts';

const queues = new Map<string, Promise<unknown>>();

/**
 * Runs a change while nobody else changes anything. Only one of a process waits for the lock, which is a child
 * process: a crowd of enrolling machines must not become a crowd of those.
 */
export async function changing<T>(paths: GatewayPaths, change: () => Promise<T>): Promise<T> {
  const before = queues.get(paths.lock) ?? Promise.resolve();
  const mine = before.then(() => withLock(paths.lock, change));
  queues.set(
    paths.lock,
    mine.catch(() => undefined),
  );
  return await mine;
}
