/** Files of a virtual machine on the host that runs it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StatePaths } from '../../host/state.ts';

/** Paths of one machine. */
export interface MachineFiles {
  /** What follows is in it; QEMU is started there. */
  readonly folder: string;
  /** The firmware's variables. */
  readonly variables: string;
  /** QEMU writes and locks it itself: a second QEMU for the machine ends at once. */
  readonly pidFile: string;
  /** Name of QMP's socket in the folder: a whole path may be longer than a socket's address can be (unix(7)). */
  readonly socketName: string;
  /** QEMU's own words. */
  readonly log: string;
  /** How the running QEMU was started. */
  readonly settings: string;
  /** The serial console; appended to, kept after the machine is gone. */
  readonly console: string;
}

/** @returns the paths */
export function machineFiles(paths: StatePaths, machineId: string): MachineFiles {
  const name = encodeURIComponent(machineId);
  const folder = join(paths.run, 'machines', name);
  return {
    folder,
    variables: join(folder, 'variables.fd'),
    pidFile: join(folder, 'qemu.pid'),
    socketName: 'qmp.sock',
    log: join(folder, 'qemu.log'),
    settings: join(folder, 'settings.json'),
    console: join(paths.consoles, `${name}.log`),
  };
}

/** Makes the folders. */
export async function ensureMachineFolders(paths: StatePaths, files: MachineFiles): Promise<void> {
  await mkdir(files.folder, { recursive: true, mode: 0o700 });
  await mkdir(paths.consoles, { recursive: true, mode: 0o700 });
}
