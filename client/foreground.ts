/** Running another program of Iguana in the foreground. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';

/**
 * Runs a TypeScript program with the terminal of this one, and waits for it.
 * @param env added to the environment
 * @returns its exit status; 128 and the signal's number where one ended it
 */
export async function runInForeground(program: string, env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn(process.execPath, [program], { stdio: 'inherit', env: { ...process.env, ...env } });
  // At a terminal the program gets Ctrl-C itself; this process must not end before it.
  const pass = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return code ?? 128 + (signal ? constants.signals[signal] : 0);
}
