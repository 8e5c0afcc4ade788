/** The whole installed system, read from the disk and compared with the image and with what was changed for the machine. */
import { readdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { Context } from '@temporalio/activity';
import type { Digest } from '../../manifest/schema/common.ts';
import { readFileList } from '../../store/file-list.ts';
import { withDesiredEsp } from '../bootloader/desired-esp.ts';
import { Esp } from '../bootloader/esp.ts';
import type { DiskStep, ImageRef, VerifyResult } from '../contract.ts';
import { type Disk, openDisk } from '../disk/disk.ts';
import { exclusively } from '../disk/exclusive.ts';
import { ioFailure } from '../disk/io-failure.ts';
import { unmountAll } from '../disk/mounts.ts';
import { failure } from '../failures.ts';
import { imageBlob } from '../images/image-blob.ts';
import type { ImageLibrary } from '../images/library.ts';
import { requireOwnTable } from '../partition/own-table.ts';
import { CHANGES_FILE, type Changes, readChanges } from '../personalise/changes.ts';
import { readUuid } from '../personalise/filesystem-ids.ts';
import { LOST_AND_FOUND } from '../personalise/move-content.ts';
import type { RootTree } from '../personalise/root-tree.ts';
import {
  mountBelow,
  mountedBelowRoot,
  mountRoot,
  type OpenedPartition,
  openPartitions,
  openRootPartition,
} from '../personalise/target-mounts.ts';
import { reportProgress } from '../progress.ts';
import { compareTree, type Difference } from './compare-tree.ts';
import { dropCaches } from './drop-caches.ts';
import { type ExpectedFiles, expectedFiles } from './expected-files.ts';
import { checkFilesystem } from './filesystem-check.ts';
import { compareEsp } from './verify-esp.ts';

type VerifyInput = DiskStep & { readonly image: ImageRef; readonly changedDigest: Digest };

/** A journal is not replayed: mounting must not change what is being verified. */
const READ_ONLY: Readonly<Record<string, readonly string[]>> = {
  ext4: ['ro', 'noload'],
  xfs: ['ro', 'norecovery'],
  btrfs: ['ro', 'rescue=nologreplay'],
};
/** So many differences are told; the first ones say what is wrong. */
const TOLD = 10;

/**
 * Verifies the disk; changes nothing.
 * @throws failure `VerificationFailed` with the first paths, what was expected and what was found
 */
export async function verify(images: ImageLibrary, input: VerifyInput): Promise<VerifyResult> {
  const { id } = input.manifest.storage.disk;
  return await exclusively(id, async () => {
    try {
      return await verifyDisk(images, input);
    } catch (error) {
      throw ioFailure(error, `verifying ${id}`);
    } finally {
      await unmountAll(input.installId);
    }
  });
}

/** Says what is being done, and stops there when the install was cancelled. */
function beginStep(step: string, progress: { doneBytes?: number; message?: string } = {}): void {
  Context.current().cancellationSignal.throwIfAborted();
  reportProgress({ step, ...progress });
}

async function verifyDisk(images: ImageLibrary, input: VerifyInput): Promise<VerifyResult> {
  beginStep('open');
  await unmountAll(input.installId);
  const disk = await openDisk(input);
  await requireOwnTable(input, disk);
  const partitions = await openPartitions(input, disk);
  await dropCaches(input.target, [...partitions.map(({ device }) => device), disk.path], disk.id);
  for (const partition of partitions) {
    beginStep('check filesystems', { message: partition.partition.label });
    await checkFilesystem(partition, disk.id);
  }
  const espDifferences = await verifyEsp(images, input, disk, partitions);
  beginStep('compare files');
  const { files, bytes, differences } = await verifyFiles(images, input, disk, partitions);
  const all = [...espDifferences, ...differences];
  if (all.length > 0) throw verificationFailure(disk.id, all);
  return { files, bytes };
}

async function verifyEsp(
  images: ImageLibrary,
  input: VerifyInput,
  disk: Disk,
  partitions: readonly OpenedPartition[],
): Promise<Difference[]> {
  const opened = partitions.find(({ partition }) => partition.type === 'esp');
  if (!opened) return [];
  const esp = new Esp(opened.device, disk.id);
  await esp.check();
  const rootUuid = await readUuid(openRootPartition(input, partitions).device);
  const archive = await imageBlob(images, input.image, 'esp');
  return await withDesiredEsp(archive, input.manifest, rootUuid, (desired) =>
    compareEsp(esp, desired, (path) => beginStep('compare ESP', { message: path })),
  );
}

async function verifyFiles(
  images: ImageLibrary,
  input: VerifyInput,
  disk: Disk,
  partitions: readonly OpenedPartition[],
): ReturnType<typeof compareTree> {
  const list = await imageBlob(images, input.image, 'files');
  const { partition, device } = openRootPartition(input, partitions);
  const { filesystem } = partition;
  const tree = await mountRoot(input.installId, device, filesystem, READ_ONLY[filesystem]);
  const changes = await readChanges(tree, input.changedDigest);
  if (!changes) {
    throw failure(
      'VerificationFailed',
      `verifying ${disk.id}: ${CHANGES_FILE} is not the list of changes of this install`,
      { context: { path: CHANGES_FILE, expected: input.changedDigest } },
    );
  }
  const hidden: Difference[] = [];
  const mountPoints: string[] = [];
  for (const opened of mountedBelowRoot(partitions)) {
    const canonical = await tree.followed(opened.mountPoint);
    hidden.push(...(await hiddenFiles(tree, canonical)));
    await mountBelow(input.installId, opened, canonical, READ_ONLY[opened.partition.filesystem]);
    mountPoints.push(canonical);
  }
  const expected = await expectedFiles(readFileList(list), changes);
  const result = await compareTree({
    folder: tree.folder,
    expected,
    allowed: allowedPaths(mountPoints, expected, changes),
    onFile: (bytes) => beginStep('compare files', { doneBytes: bytes }),
  });
  return { ...result, differences: [...hidden, ...result.differences] };
}

/** What lies below a mount point is never seen, takes space, and was to be moved. */
async function hiddenFiles(tree: RootTree, canonical: string): Promise<Difference[]> {
  const names = await readdir(tree.outside(canonical));
  return names
    .filter((name) => name !== LOST_AND_FOUND)
    .map((name) => ({
      path: posix.join(canonical, name),
      expected: 'nothing below the mount point',
      found: 'something',
    }));
}

/** Paths that neither the image nor the machine's changes name: filesystems and mounting need them. */
function allowedPaths(
  mountPoints: readonly string[],
  expected: ExpectedFiles,
  changes: Changes,
): ReadonlySet<string> {
  const allowed = new Set(['/', CHANGES_FILE]);
  for (const mountPoint of ['/', ...mountPoints]) {
    allowed.add(posix.join(mountPoint, LOST_AND_FOUND));
    for (let path = mountPoint; path !== '/'; path = posix.dirname(path)) {
      if (!expected.has(path) && !changes.has(path)) allowed.add(path);
    }
  }
  return allowed;
}

function verificationFailure(diskId: string, differences: readonly Difference[]): Error {
  const told = differences.slice(0, TOLD);
  const words = told.map(({ path, expected, found }) => `${path}: expected ${expected}, found ${found}`);
  const more = differences.length > told.length ? `; ${differences.length - told.length} more` : '';
  return failure('VerificationFailed', `verifying ${diskId}: ${words.join('; ')}${more}`, {
    context: { differences: told, count: differences.length },
  });
}
