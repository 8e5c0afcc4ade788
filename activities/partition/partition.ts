/** The partition table and the empty filesystems of an install. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { DiskContent } from '../../manifest/schema/facts.ts';
import type { ManifestPartition } from '../../manifest/schema/manifest.ts';
import type { AgentActivities, DiskStep } from '../contract.ts';
import { runTool } from '../disk/command.ts';
import { diskContents, signatures } from '../disk/contents.ts';
import { discard } from '../disk/discard.ts';
import { type Disk, openDisk, openPartition, rootPartition } from '../disk/disk.ts';
import { exclusively } from '../disk/exclusive.ts';
import { HEAD_BYTES } from '../disk/head-note.ts';
import { diskHolders } from '../disk/holders.ts';
import { imageHolders } from '../disk/image-holders.ts';
import { ioFailure } from '../disk/io-failure.ts';
import { unmountAll } from '../disk/mounts.ts';
import { readPartitionTable } from '../disk/partition-table.ts';
import { failure } from '../failures.ts';
import type { ImageLibrary } from '../images/library.ts';
import { reportProgress } from '../progress.ts';
import { heldImage } from '../write/held-image.ts';
import { partitionDefinitions } from './definitions.ts';
import { ensureFilesystemLabel } from './filesystem-labels.ts';
import { hasMarker, removeMarker, writeMarker } from './marker.ts';
import { isOwnDisk } from './own-disk.ts';
import { checkPlan } from './plan-check.ts';
import { tableDifferences } from './table-check.ts';
import { type DiskSeed, repartSeed } from './uuids.ts';

/**
 * Makes the partition table and the filesystems, all but root's, which is written from the image. Done already where
 * the table on the disk is this install's own and each filesystem is there. What a root partition at the same place holds of a known
 * image stays for the step that writes.
 * @throws failure `DiskHasData`, `DiskInUse`, `DiskTooSmall`, `StorageImpossible`, `PartitioningFailed` and those of
 *   {@link openDisk}
 */
export function partitioning(images: ImageLibrary): AgentActivities['partition'] {
  return (step) => exclusively(step.manifest.storage.disk.id, () => partition(images, step));
}

async function partition(images: ImageLibrary, step: PartitionInput): Promise<{ changed: boolean }> {
  const disk = await openDisk(step);
  await unmountAll(step.installId);
  checkPlan(step.manifest.storage.partitions, disk);
  const seed = { installId: step.installId, diskId: disk.id };
  const changed = !(await isDone(step, disk, seed));
  if (changed) {
    await claim(step, disk, seed);
    reportProgress({ step: 'partition' });
    const root = rootPartition(step);
    await erase(disk, (await heldImage(images, disk, root)) && root);
    await repart(step, disk, seed);
  }
  for (const planned of step.manifest.storage.partitions) {
    const node = await openPartition(step, disk, planned);
    if (planned.type !== 'root') await ensureFilesystemLabel(node, planned);
  }
  if (await hasMarker(disk, seed)) await removeMarker(disk);
  return { changed };
}

type PartitionInput = Parameters<AgentActivities['partition']>[0];

/** Whether the table is this install's own and every filesystem is what the manifest says. */
async function isDone({ manifest }: DiskStep, disk: Disk, seed: DiskSeed): Promise<boolean> {
  const table = await readPartitionTable(disk.path);
  if (tableDifferences(table, manifest, seed).length > 0) return false;
  for (const planned of manifest.storage.partitions) {
    if (planned.type === 'root') continue;
    if ((await signatures(disk.path, planned)).TYPE !== planned.filesystem) return false;
  }
  return true;
}

/** Makes sure that the disk may be written, and marks it as being written by this install. */
async function claim(step: PartitionInput, disk: Disk, seed: DiskSeed): Promise<void> {
  const { target, approved } = step;
  const holders =
    target.kind === 'file' ? await imageHolders(target.path) : await diskHolders(basename(disk.path));
  if (holders.length > 0)
    throw failure('DiskInUse', `partitioning ${disk.id}: it is in use (${holders.join(', ')})`, {
      context: { holders },
    });
  if (await hasMarker(disk, seed)) return;
  if (!(await isOwnDisk(disk, seed))) {
    const isApproved = (found: DiskContent) => approved.some((it) => isDeepStrictEqual(it, found));
    const contents = (await contentsOf(disk)).filter((found) => !isApproved(found));
    if (contents.length > 0) {
      const found = contents.map(({ type, label }) => (label ? `${type} "${label}"` : type)).join(', ');
      const why = approved.length > 0 ? 'it holds what nobody approved to lose' : 'it is not empty';
      throw failure('DiskHasData', `partitioning ${disk.id}: ${why} (${found})`, {
        context: { contents, approved },
      });
    }
  }
  await writeMarker(disk, seed);
}

async function contentsOf(disk: Disk): Promise<DiskContent[]> {
  try {
    return await diskContents(disk.path, disk.sizeBytes);
  } catch (error) {
    throw ioFailure(error, `looking at what is on ${disk.id}`);
  }
}

/**
 * Clears old tables and signatures, also those that a new table would leave in place: a btrfs at 64 KiB, a RAID
 * superblock at the end. The notes stay.
 * @param kept what may still be of use; the rest is discarded
 */
async function erase(disk: Disk, kept: ManifestPartition | undefined): Promise<void> {
  const doing = `erasing ${disk.id}`;
  // 1: no partition is known to the kernel.
  await runTool('partx', ['--delete', disk.path], { doing, accept: [1] });
  await runTool('wipefs', ['--all', '--force', disk.path], { doing, failAs: 'PartitioningFailed' });
  const { offsetBytes = HEAD_BYTES, sizeBytes = 0 } = kept ?? {};
  await discard(disk.path, { offset: HEAD_BYTES, length: offsetBytes - HEAD_BYTES }, doing);
  await discard(disk.path, { offset: offsetBytes + sizeBytes }, doing);
}

async function repart({ manifest }: DiskStep, disk: Disk, seed: DiskSeed): Promise<void> {
  const doing = `partitioning ${disk.id}`;
  const folder = await mkdtemp(join(tmpdir(), 'iguana-repart-'));
  try {
    for (const { fileName, text } of partitionDefinitions(manifest, seed))
      await writeFile(join(folder, fileName), text);
    const { stderr } = await runTool(
      'systemd-repart',
      [
        '--dry-run=no',
        // What may be erased was decided and erased before; a table that appears now is somebody else's.
        '--empty=require',
        // Discarding the whole disk would take the mark away.
        '--discard=no',
        `--seed=${repartSeed(seed)}`,
        `--definitions=${folder}`,
        '--no-pager',
        '--pretty=no',
        disk.path,
      ],
      {
        doing,
        failAs: 'PartitioningFailed',
        // Filesystems of the same install are the same, whenever they are made.
        env: { SOURCE_DATE_EPOCH: String(manifest.image.sourceDateEpoch) },
      },
    );
    const differences = tableDifferences(await readPartitionTable(disk.path), manifest, seed);
    if (differences.length > 0)
      throw failure(
        'PartitioningFailed',
        `${doing}: the table is not as planned: ${differences.join('; ')}`,
        {
          context: { differences, words: stderr.slice(-2000) },
        },
      );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
