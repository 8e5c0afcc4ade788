/** The filesystems of an install, mounted as the installed system will see them. */
import { mkdir } from 'node:fs/promises';
import { posix } from 'node:path';
import type { ManifestPartition } from '../../manifest/schema/manifest.ts';
import type { DiskStep } from '../contract.ts';
import { type Disk, openPartition, rootPartition } from '../disk/disk.ts';
import { mountFilesystem } from '../disk/mounts.ts';
import { RootTree } from './root-tree.ts';

/** A partition with its node of this moment. */
export interface OpenedPartition {
  readonly partition: ManifestPartition;
  readonly device: string;
}

/** @returns all partitions of the manifest, in its order */
export async function openPartitions(step: DiskStep, disk: Disk): Promise<OpenedPartition[]> {
  const opened: OpenedPartition[] = [];
  for (const partition of step.manifest.storage.partitions) {
    opened.push({ partition, device: await openPartition(step, disk, partition) });
  }
  return opened;
}

/** @returns the root partition among those that are open */
export function openRootPartition(step: DiskStep, partitions: readonly OpenedPartition[]): OpenedPartition {
  const { label } = rootPartition(step);
  const root = partitions.find(({ partition }) => partition.label === label);
  if (!root) throw new Error(`looking for partition ${label}: it was not opened`);
  return root;
}

/** Filesystems whose files are reached by mounting. A kernel need not have vfat: mtools reach it. */
const MOUNTED: ReadonlySet<string> = new Set(['ext4', 'xfs', 'btrfs']);

/** @returns those that are mounted below the root, parents first */
export function mountedBelowRoot(
  partitions: readonly OpenedPartition[],
): (OpenedPartition & { mountPoint: string })[] {
  return partitions
    .flatMap((opened) => {
      const { mountPoint, filesystem } = opened.partition;
      return mountPoint !== undefined && mountPoint !== '/' && MOUNTED.has(filesystem)
        ? [{ ...opened, mountPoint }]
        : [];
    })
    .sort((a, b) => depth(a.mountPoint) - depth(b.mountPoint));
}

const depth = (path: string): number => path.split('/').length;

/** Nothing of a target is run here, and no device node in it is a device of this machine. */
const COMMON_OPTIONS = ['nodev', 'nosuid', 'noexec'];
/** Another disk of this machine may hold the same image: xfs refuses to mount the second one otherwise. */
const optionsFor = (filesystem: string, more: readonly string[]): readonly string[] => [
  ...COMMON_OPTIONS,
  ...(filesystem === 'xfs' ? ['nouuid'] : []),
  ...more,
];

/** @returns the root filesystem, mounted */
export async function mountRoot(
  installId: string,
  device: string,
  filesystem: string,
  options: readonly string[] = [],
): Promise<RootTree> {
  const request = { installId, device, filesystem, where: 'root', options: optionsFor(filesystem, options) };
  return new RootTree(await mountFilesystem(request));
}

/**
 * Mounts one partition at its place below the root.
 * @param canonical its mount point, links resolved
 */
export async function mountBelow(
  installId: string,
  { partition, device }: OpenedPartition,
  canonical: string,
  options: readonly string[] = [],
): Promise<void> {
  await mountFilesystem({
    installId,
    device,
    filesystem: partition.filesystem,
    where: posix.join('root', canonical),
    options: optionsFor(partition.filesystem, options),
  });
}

/** Makes a mount point that the image lacks; @returns its canonical path */
export async function ensureMountPoint(tree: RootTree, mountPoint: string): Promise<string> {
  const canonical = await tree.followed(mountPoint);
  await mkdir(tree.outside(canonical), { recursive: true, mode: 0o755 });
  return canonical;
}
