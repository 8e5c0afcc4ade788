/** Where a disk is plugged in. */
import { runTool } from './command.ts';

/**
 * The name of a disk in /dev/disk/by-path, worked out by udev's own rule, also where no udevd runs.
 * @returns undefined where the bus has no stable order
 */
export async function diskByPath(kernelName: string): Promise<string | undefined> {
  const { stdout } = await runTool('udevadm', ['test-builtin', 'path_id', `/sys/block/${kernelName}`], {
    doing: `finding out where ${kernelName} is plugged in`,
    // No stable path.
    accept: [1],
  });
  return /^ID_PATH=(.+)$/m.exec(stdout)?.[1];
}
