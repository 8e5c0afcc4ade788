/**
 * Which accelerator QEMU shall use. That /dev/kvm exists does not say that it works: nested or broken virtualisation
 * hangs, or dies, as soon as firmware runs. So firmware is started with it once, with a deadline.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exists, type Firmware } from './firmware.ts';
import { pflash, QEMU } from './qemu-arguments.ts';

/** With working KVM the firmware says its first words after one to two seconds. */
const DEADLINE_MS = 10_000;

/** `kvm`, or QEMU's own translation, which is slow but works everywhere. */
export type Accelerator = 'kvm' | 'tcg';

let chosen: Promise<Accelerator> | undefined;

/** @returns the same answer for as long as this process lives */
export async function chooseAccelerator(firmware: Firmware): Promise<Accelerator> {
  chosen ??= firmwareRunsOnKvm(firmware).then((runs) => (runs ? 'kvm' : 'tcg'));
  return await chosen;
}

async function firmwareRunsOnKvm(firmware: Firmware): Promise<boolean> {
  if (!(await exists('/dev/kvm'))) return false;
  const folder = await mkdtemp(join(tmpdir(), 'iguana-kvm-'));
  try {
    const variables = join(folder, 'variables.fd');
    await copyFile(firmware.variables, variables);
    return await speaks([
      ...['-machine', 'q35', '-accel', 'kvm', '-cpu', 'host', '-m', '256', '-nodefaults', '-display', 'none'],
      ...pflash(firmware.code, variables),
      ...['-serial', 'stdio'],
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether QEMU writes anything to its serial console before the deadline. */
async function speaks(args: readonly string[]): Promise<boolean> {
  const child = spawn(QEMU, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), DEADLINE_MS);
  const { signal } = deadline;
  const answer = async (): Promise<boolean> => {
    await once(child.stdout, 'data', { signal });
    return true;
  };
  const silence = async (): Promise<boolean> => {
    await once(child, 'close', { signal });
    return false;
  };
  try {
    return await Promise.race([answer(), silence()]);
  } catch (error) {
    if (signal.aborted || !(error instanceof Error) || 'code' in error) return false;
    throw error;
  } finally {
    clearTimeout(timer);
    deadline.abort();
    child.kill('SIGKILL');
  }
}
