/** Servers as processes: started on loopback, waited for, ended with the test file. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { atEnd } from './at-end.ts';

/**
 * Starts a server and waits until it listens.
 * @returns ends it before the test file does
 * @throws Error with what it said, where it ended instead
 */
export async function startServer(
  program: string,
  args: readonly string[],
  port: number,
): Promise<() => Promise<void>> {
  const child = execa(program, args, { reject: false, all: true, stdin: 'ignore' });
  let said: string | undefined;
  child.then(
    ({ all }) => {
      said = String(all);
    },
    () => undefined,
  );
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await child;
  };
  atEnd(stop);
  while (!(await isListening(port))) {
    if (said !== undefined) throw new Error(`starting ${program}: it ended: ${said}`);
    await sleep(50);
  }
  return stop;
}

function isListening(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: '127.0.0.1', port });
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
