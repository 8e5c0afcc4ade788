/** /etc/fstab of one machine; see fstab(5). */
import type { ManifestPartition } from '../../manifest/schema/manifest.ts';

/** A partition of the manifest with the UUID that its filesystem has on the disk. */
export interface IdentifiedPartition {
  readonly partition: ManifestPartition;
  /** As `blkid` shows it; for vfat the serial number, `ABCD-1234`. */
  readonly uuid: string;
}

const DEFAULT_OPTIONS: Partial<Record<ManifestPartition['filesystem'], string>> = {
  // Kernels and their command lines are nobody's business but root's.
  vfat: 'umask=0077',
  swap: 'sw',
};
/** xfs and btrfs check themselves at mounting: their fsck.* do nothing (fsck.xfs(8), fsck.btrfs(8)). */
const CHECKED_AT_BOOT: ReadonlySet<string> = new Set(['ext4', 'vfat']);

/**
 * The text of fstab.
 * @param image the image's own fstab; its mounts of other things (tmpfs, network) are kept
 * @param partitions those with a mount point, and swap; others are left out
 */
export function renderFstab(image: string, partitions: readonly IdentifiedPartition[]): string {
  const ours = partitions
    .filter(({ partition }) => partition.filesystem === 'swap' || partition.mountPoint !== undefined)
    // Parents first: mount(8) works through the file from top to bottom.
    .sort((a, b) => order(a.partition) - order(b.partition));
  const mountPoints = new Set(ours.map(({ partition }) => partition.mountPoint));
  const kept = image.split('\n').filter((line) => {
    const fields = line.trim().split(/\s+/);
    return (
      fields.length >= 3 && !line.trim().startsWith('#') && !mountPoints.has(unescapeField(fields[1] ?? ''))
    );
  });
  const lines = ours.map(({ partition, uuid }) => fstabLine(partition, uuid));
  return `${['# Written by Iguana. Fields: fstab(5).', ...lines, ...kept].join('\n')}\n`;
}

function fstabLine(partition: ManifestPartition, uuid: string): string {
  const { filesystem, mountPoint, mountOptions } = partition;
  const isSwap = filesystem === 'swap';
  const where = isSwap || mountPoint === undefined ? 'none' : escapeField(mountPoint);
  const options = mountOptions.length > 0 ? mountOptions.join() : (DEFAULT_OPTIONS[filesystem] ?? 'defaults');
  const pass = CHECKED_AT_BOOT.has(filesystem) ? (mountPoint === '/' ? 1 : 2) : 0;
  return [`UUID=${uuid}`, where, filesystem, options, 0, pass].join('\t');
}

function order({ filesystem, mountPoint }: ManifestPartition): number {
  if (filesystem === 'swap' || mountPoint === undefined) return Number.MAX_SAFE_INTEGER;
  return mountPoint === '/' ? 0 : mountPoint.split('/').length;
}

/** White space and backslashes stand as three octal digits. */
const escapeField = (text: string): string =>
  text.replaceAll(/[\s\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);

const unescapeField = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
