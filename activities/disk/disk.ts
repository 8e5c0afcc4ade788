/** From the identity in a manifest to the device that it is right now. */
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { attribute, type DiskIdentity, diskId, listDisks } from '../../host/disk-identity.ts';
import type { ManifestPartition } from '../../manifest/schema/manifest.ts';
import type { DiskStep } from '../contract.ts';
import { failure } from '../failures.ts';
import { diskByPath } from './by-path.ts';
import { ensureImageFile } from './image-file.ts';
import { attachLoopDevice } from './loop.ts';
import { partitionNode } from './partition-nodes.ts';

/** A disk that was found just now. Its path is never kept: it changes between two boots. */
export interface Disk {
  /** Identity, as in the manifest. */
  readonly id: string;
  /** Node, e.g. `/dev/nvme0n1`. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
}

/** sysfs counts the size of a disk in these, whatever its own sectors are. */
const SYSFS_SECTOR_BYTES = 512;

/**
 * Finds the disk of an install, afresh each time: a disk image is created and attached where that is not yet so, a
 * device is looked up by its identity.
 * @throws failure `DiskVanished` where it is not there, `DiskChanged` where identity or size are not those that were
 *   planned for, `DiskReadOnly`
 */
export async function openDisk({ target, manifest }: DiskStep): Promise<Disk> {
  const { id, sizeBytes, sectorBytes } = manifest.storage.disk;
  const planned = target.kind === 'file' ? `file:${target.path}` : target.kind === 'device' ? target.id : id;
  if (planned !== id)
    throw failure('DiskChanged', `opening the disk: the plan is for ${id}, the install is onto ${planned}`);
  let path: string;
  if (target.kind === 'file') {
    await ensureImageFile(target.path, sizeBytes);
    path = await attachLoopDevice(target.path);
  } else path = await findDevice(id);
  const found = await readGeometry(path);
  if (found.sizeBytes !== sizeBytes || found.sectorBytes !== sectorBytes)
    throw failure(
      'DiskChanged',
      `opening ${id}: it has ${found.sizeBytes} bytes in sectors of ${found.sectorBytes}; ` +
        `planned for were ${sizeBytes} in sectors of ${sectorBytes}`,
      { context: { expected: { sizeBytes, sectorBytes }, found: { ...found } } },
    );
  if (found.readOnly) throw failure('DiskReadOnly', `opening ${id}: it is write-protected`);
  return { id, path, sizeBytes, sectorBytes };
}

/** A disk of this host with the identity under which manifests know it. */
export interface IdentifiedDisk extends DiskIdentity {
  readonly id: string;
  readonly byPath?: string;
}

/** All disks of this host, in the order of their identities. */
export async function identifyDisks(): Promise<IdentifiedDisk[]> {
  const disks = await listDisks();
  const identified = disks.map(async (disk) => {
    const byPath = await diskByPath(disk.kernelName);
    return { ...disk, id: diskId(disk, disks, byPath), ...(byPath && { byPath }) };
  });
  return (await Promise.all(identified)).sort((a, b) => (a.id < b.id ? -1 : 1));
}

async function findDevice(id: string): Promise<string> {
  const disks = await identifyDisks();
  const disk = disks.find((candidate) => candidate.id === id);
  if (!disk)
    throw failure('DiskVanished', `opening ${id}: no disk of this identity is attached`, {
      context: { attached: disks.map((candidate) => candidate.id) },
    });
  return join('/dev', disk.kernelName);
}

/** Size, sectors and write protection of a block device, as the kernel has them now. */
async function readGeometry(
  path: string,
): Promise<{ sizeBytes: number; sectorBytes: number; readOnly: boolean }> {
  const folder = join('/sys/block', basename(path));
  if (!(await stat(path)).isBlockDevice())
    throw failure('DiskVanished', `opening ${path}: there is no device node`);
  return {
    sizeBytes: Number(await attribute(folder, 'size')) * SYSFS_SECTOR_BYTES,
    sectorBytes: Number(await attribute(folder, 'queue/logical_block_size')),
    readOnly: (await attribute(folder, 'ro')) === '1',
  };
}

/**
 * The node of a planned partition on an open disk.
 * @throws failure `CommandFailed` where the kernel does not have the partition at its planned place
 */
export async function openPartition(
  step: DiskStep,
  disk: Disk,
  partition: ManifestPartition,
): Promise<string> {
  const number = step.manifest.storage.partitions.findIndex(({ label }) => label === partition.label) + 1;
  return partitionNode(disk.path, { number, ...partition });
}

/**
 * The partition that holds the root filesystem.
 * @throws failure `StorageImpossible` where the manifest has none
 */
export function rootPartition({ manifest }: DiskStep): ManifestPartition {
  const root = manifest.storage.partitions.find(({ type }) => type === 'root');
  if (!root) throw failure('StorageImpossible', 'looking for the root partition: the manifest has none');
  return root;
}
