/** Locks between processes that a kill releases: the kernel holds them, no file has to be cleaned up. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Runs something while holding an exclusive lock on a file; waits for as long as another process holds it.
 *
 * Node has no flock(2), so flock(1) holds it: it lives until its standard input closes, which also happens when this
 * process is killed.
 * @param path the lock file; made, with its folder, when it is missing, and never removed
 * @param onWait called once, before waiting, where somebody else holds the lock
 * @throws Error where flock(1) is missing or cannot open the file
 */
export async function withLock<T>(path: string, action: () => Promise<T>, onWait?: () => void): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const holder =
    (await tryLock(path)) ??
    (await (async () => {
      onWait?.();
      return await takeLock(path, []);
    })());
  if (!holder) throw new Error(`locking ${path}: flock ended without the lock`);
  try {
    return await action();
  } finally {
    await holder.release();
  }
}

/** A lock that is held until it is released, or the process ends. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the lock if nobody else holds it; as {@link withLock} does.
 * @returns undefined where another process holds it
 */
export async function tryLock(path: string): Promise<Lock | undefined> {
  await mkdir(dirname(path), { recursive: true });
  return await takeLock(path, ['--nonblock', '--conflict-exit-code', '75']);
}

/** @returns undefined where another process holds the lock, and `options` say not to wait */
async function takeLock(path: string, options: readonly string[]): Promise<Lock | undefined> {
  const child = spawn('flock', ['--exclusive', ...options, path, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const locked = once(child.stdout, 'data').then(() => true);
  const outcome = await Promise.race([locked, ended]);
  if (outcome === true) {
    return {
      async release() {
        child.stdin.end();
        await ended;
      },
    };
  }
  if (child.exitCode === 75) return undefined;
  throw new Error(`locking ${path}: flock ended with status ${child.exitCode}: ${errors.trim()}`);
}
