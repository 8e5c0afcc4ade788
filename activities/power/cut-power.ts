/** Pulling the plug of a virtual machine. */
import type { StatePaths } from '../../host/state.ts';
import { failure } from '../failures.ts';
import { machineFiles } from './machine-files.ts';
import { findQemu, untilEnded } from './qemu-process.ts';

/** A killed process is gone at once, unless it hangs in the kernel. */
const KILL_MS = 5_000;

/**
 * Kills the machine's QEMU, which gets no moment to flush anything; one that does not run is off already.
 * @throws failure `VirtualMachineFailed` where the process does not end
 */
export async function cutPower(
  paths: StatePaths,
  { machineId }: { readonly machineId: string },
): Promise<void> {
  const files = machineFiles(paths, machineId);
  const pid = await findQemu(files);
  if (pid === undefined) return;
  process.kill(pid, 'SIGKILL');
  if (!(await untilEnded(files, pid, { deadlineMs: KILL_MS })))
    throw failure(
      'VirtualMachineFailed',
      `cutting the power of ${machineId}: QEMU (process ${pid}) cannot be killed`,
    );
}
