/** The process of a machine's QEMU: found again after whoever started it is gone. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineFiles } from './machine-files.ts';

/** How often it is looked whether the process has ended; it may be nobody's child, so nobody is told. */
const POLL_MS = 250;

/** @returns the pid of the machine's QEMU; undefined where none runs */
export async function findQemu(files: MachineFiles): Promise<number | undefined> {
  const pid = Number(await readOrNothing(files.pidFile));
  return pid > 0 && (await isQemuOf(files, pid)) ? pid : undefined;
}

/** Waits until the process has ended. */
export async function untilEnded(
  files: MachineFiles,
  pid: number,
  options: { readonly signal?: AbortSignal; readonly deadlineMs?: number } = {},
): Promise<boolean> {
  const until = Date.now() + (options.deadlineMs ?? Number.POSITIVE_INFINITY);
  while (await isQemuOf(files, pid)) {
    if (options.signal?.aborted || Date.now() > until) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Pids are used again; only this machine's QEMU has the machine's pid file among its arguments. */
async function isQemuOf(files: MachineFiles, pid: number): Promise<boolean> {
  // A process that has ended and that nobody has waited for yet has no arguments any more.
  const args = (await readOrNothing(`/proc/${pid}/cmdline`)).split('\0');
  return args.some((arg, index) => arg === '-pidfile' && args[index + 1] === files.pidFile);
}

async function readOrNothing(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) {
      return '';
    }
    throw error;
  }
}
