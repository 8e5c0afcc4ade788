/** Checking filesystems without changing them. */
import { runTool } from '../disk/command.ts';
import type { OpenedPartition } from '../personalise/target-mounts.ts';

/** Each checks only; the filesystem is not mounted. */
const CHECKS: Readonly<Partial<Record<string, readonly [string, ...string[]]>>> = {
  ext4: ['e2fsck', '-f', '-n'],
  xfs: ['xfs_repair', '-n'],
  btrfs: ['btrfs', 'check', '--readonly'],
};

/**
 * Checks the structure of a filesystem, its journal included: one that must be replayed is an error too.
 * @param name of the disk, for messages
 * @throws failure `VerificationFailed` with the tool's words
 */
export async function checkFilesystem({ partition, device }: OpenedPartition, name: string): Promise<void> {
  const check = CHECKS[partition.filesystem];
  if (!check) return;
  const [tool, ...args] = check;
  await runTool(tool, [...args, device], {
    doing: `checking the ${partition.filesystem} on ${partition.label} of ${name}`,
    failAs: 'VerificationFailed',
  });
}
