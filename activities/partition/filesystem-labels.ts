/** Labels of filesystems, where the manifest names others than the partitions' own, which systemd-repart uses. */
import type { ManifestPartition } from '../../manifest/schema/manifest.ts';
import { runTool } from '../disk/command.ts';
import { signatures } from '../disk/contents.ts';

/** The tool that sets the label of each filesystem, which must not be mounted. */
const LABEL_TOOLS: Readonly<
  Record<ManifestPartition['filesystem'], (node: string, label: string) => [string, ...string[]]>
> = {
  ext4: (node, label) => ['tune2fs', '-L', label, node],
  xfs: (node, label) => ['xfs_admin', '-L', label, node],
  btrfs: (node, label) => ['btrfs', 'filesystem', 'label', node, label],
  vfat: (node, label) => ['fatlabel', node, label],
  swap: (node, label) => ['swaplabel', '--label', label, node],
};

/**
 * Gives a filesystem the label of the manifest, unless it has it.
 * @param node of the partition
 */
export async function ensureFilesystemLabel(node: string, partition: ManifestPartition): Promise<void> {
  const { filesystemLabel: label, filesystem } = partition;
  if (label === undefined || (await signatures(node)).LABEL === label) return;
  const [tool, ...args] = LABEL_TOOLS[filesystem](node, label);
  await runTool(tool, args, {
    doing: `setting the label of the filesystem on ${partition.label} to ${label}`,
  });
}
