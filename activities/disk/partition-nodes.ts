/** Device nodes of partitions. */
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { attribute } from '../../host/disk-identity.ts';
import { errorCode } from '../../image/io-error.ts';
import { failure } from '../failures.ts';
import { runTool } from './command.ts';
import { deviceNumber } from './loop.ts';
import type { TableEntry } from './partition-table.ts';

/** devtmpfs makes nodes at once; udevd on a busy host takes a moment to put them right. */
const WAIT_ATTEMPTS = 20;
const WAIT_MS = 50;
/** The kernel counts partitions in sectors of 512 bytes, whatever the disk's own are. */
const SYSFS_SECTOR_BYTES = 512;

/**
 * The node of a partition, once the kernel knows the partition as the table has it.
 * @param diskPath e.g. `/dev/nvme0n1`
 * @param entry what the table says
 * @throws failure `CommandFailed` where the kernel does not take the partition over
 */
export async function partitionNode(
  diskPath: string,
  entry: Pick<TableEntry, 'number' | 'offsetBytes' | 'sizeBytes'>,
): Promise<string> {
  const disk = basename(diskPath);
  const name = `${disk}${/\d$/.test(disk) ? 'p' : ''}${entry.number}`;
  const folder = join('/sys/block', disk, name);
  if (!(await kernelAgrees(folder, entry)))
    // Kernels without a parser for GPT, and disks whose table was read too early, learn of partitions by partx.
    await runTool('partx', ['--update', diskPath], {
      doing: `telling the kernel of the partitions on ${diskPath}`,
    });
  if (!(await kernelAgrees(folder, entry)))
    throw failure(
      'CommandFailed',
      `opening partition ${entry.number} of ${diskPath}: the kernel does not see it`,
    );
  const number = await attribute(folder, 'dev');
  const node = join('/dev', name);
  for (let attempt = 0; attempt < WAIT_ATTEMPTS; attempt++) {
    if ((await nodeNumber(node)) === number) return node;
    await sleep(WAIT_MS);
  }
  // A container whose /dev is its own gets no nodes from the kernel.
  const [major = '', minor = ''] = (number ?? '').split(':');
  await runTool('rm', ['--force', node], { doing: `removing the stale node ${node}` });
  await runTool('mknod', ['-m', '0600', node, 'b', major, minor], { doing: `making the node ${node}` });
  return node;
}

async function kernelAgrees(
  folder: string,
  { offsetBytes, sizeBytes }: Pick<TableEntry, 'offsetBytes' | 'sizeBytes'>,
): Promise<boolean> {
  return (
    Number(await attribute(folder, 'start')) * SYSFS_SECTOR_BYTES === offsetBytes &&
    Number(await attribute(folder, 'size')) * SYSFS_SECTOR_BYTES === sizeBytes
  );
}

async function nodeNumber(node: string): Promise<string | undefined> {
  try {
    const found = await stat(node);
    return found.isBlockDevice() ? deviceNumber(found.rdev) : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
