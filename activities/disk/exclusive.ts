/** One writer at a time for each disk, whichever process it is in. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { errorCode } from '../../image/io-error.ts';
import { reportProgress } from '../progress.ts';

const POLL_MS = 200;

/**
 * Runs work on a disk after all other work on it has ended. When the server has given up on an attempt that still
 * runs (a worker that was stopped for longer than the heartbeat timeout), the next attempt must wait until the first
 * has noticed and cleaned up; and the agents of two machines may have been given one disk.
 *
 * The lock is an abstract socket (unix(7)): agents share the host's network namespace and nothing else that holds
 * locks, and the kernel gives it back with the process. flock(2) on the disk itself is systemd-repart's.
 * @param diskId the disk's identity
 * @throws the cancellation, when the step is cancelled while it waits
 */
export async function exclusively<T>(diskId: string, work: () => Promise<T>): Promise<T> {
  const name = `\0iguana/disk/${createHash('sha256').update(diskId).digest('hex')}`;
  let lock = await tryListen(name);
  while (!lock) {
    reportProgress({ step: 'wait', message: `another step is at work on ${diskId}` });
    await sleep(POLL_MS, undefined, { signal: Context.current().cancellationSignal });
    lock = await tryListen(name);
  }
  try {
    return await work();
  } finally {
    const closed = once(lock, 'close');
    lock.close();
    await closed;
  }
}

/** @returns undefined where another socket has the name */
async function tryListen(name: string): Promise<Server | undefined> {
  // Nobody has anything to say here.
  const server = createServer((connection) => connection.destroy());
  server.listen(name);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return undefined;
    throw error;
  }
}
