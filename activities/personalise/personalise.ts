/** Making one machine of an image: everything that differs between machines. */

import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { digestOf } from '../../image/digest.ts';
import { errorCode } from '../../image/io-error.ts';
import type { PersonaliseInput, PersonaliseResult } from '../contract.ts';
import { runTool } from '../disk/command.ts';
import { openDisk } from '../disk/disk.ts';
import { exclusively } from '../disk/exclusive.ts';
import { ioFailure } from '../disk/io-failure.ts';
import { mountFilesystem, unmountAll } from '../disk/mounts.ts';
import { failure } from '../failures.ts';
import { requireOwnTable } from '../partition/own-table.ts';
import { reportProgress } from '../progress.ts';
import { applyEntries, STAGING, Staging } from './apply.ts';
import { writeChanges } from './changes.ts';
import type { Entries } from './entry.ts';
import { readUuid, setUuid } from './filesystem-ids.ts';
import { hostKeyUnitEntries, reportEntries, scriptEntries } from './first-boot.ts';
import type { IdentifiedPartition } from './fstab.ts';
import { genericIdentityEntries, hostKeyEntries, machineIdEntries, reportToken } from './identity.ts';
import { machineFileEntries } from './machine-files.ts';
import { MOVED_MARK, moveContent } from './move-content.ts';
import { PristineTree } from './pristine.ts';
import { ChangeRecord } from './record.ts';
import type { RootTree } from './root-tree.ts';
import type { SecretSource } from './secret-source.ts';
import { hostNameEntries, mountEntries, networkEntries } from './system-entries.ts';
import {
  ensureMountPoint,
  mountBelow,
  mountedBelowRoot,
  mountRoot,
  type OpenedPartition,
  openPartitions,
  openRootPartition,
} from './target-mounts.ts';
import { userEntries } from './users.ts';

/**
 * Personalises the target. What it does follows from the image's own files, the manifest, and what it made up once and
 * finds again on the target (keys, token): repeating it, also after a kill or with an amended manifest, leads to the
 * same disk as doing it once.
 * @throws failure `PersonaliseFailed`, `SecretMissing`, and those of the disk
 */
export async function personalise(
  secrets: SecretSource,
  input: PersonaliseInput,
): Promise<PersonaliseResult> {
  const { id } = input.manifest.storage.disk;
  return await exclusively(id, async () => {
    try {
      return await personaliseDisk(secrets, input);
    } catch (error) {
      throw asFailure(error, id);
    } finally {
      await unmountAll(input.installId);
    }
  });
}

/** Says what is being done, and stops there when the install was cancelled. */
function beginStep(step: string, message?: string): void {
  Context.current().cancellationSignal.throwIfAborted();
  reportProgress({ step, ...(message !== undefined && { message }) });
}

async function personaliseDisk(secrets: SecretSource, input: PersonaliseInput): Promise<PersonaliseResult> {
  const { installId, manifest } = input;
  beginStep('open');
  await unmountAll(installId);
  const disk = await openDisk(input);
  await requireOwnTable(input, disk);
  const partitions = await openPartitions(input, disk);
  beginStep('uuids');
  const identified = await identify(input, partitions);
  beginStep('mount');
  const { partition: root, device } = openRootPartition(input, partitions);
  const tree = await mountRoot(installId, device, root.filesystem);
  const record = await ChangeRecord.open(tree, randomUUID());
  const mountPoints = ['/', ...(await mountPartitions(installId, tree, record, partitions))];
  const staging = new Staging(tree, mountPoints);
  await staging.prepare();
  const image = new PristineTree(tree, record);
  const rootUuid = identified.find(({ partition }) => partition.label === root.label)?.uuid ?? '';

  const { entries, tokenDigest } = await makeEntries(secrets, input, {
    tree,
    record,
    image,
    identified,
    rootUuid,
  });
  const changes = await applyEntries(tree, record, staging, entries, (path) => beginStep('apply', path));
  await staging.clear();
  await record.tidy();
  beginStep('flush');
  const marks = mountPoints.slice(1).map((mountPoint) => posix.join(mountPoint, MOVED_MARK));
  const changedDigest = await writeChanges(tree, changes, marks);
  for (const mountPoint of mountPoints) {
    await runTool('sync', ['--file-system', tree.outside(mountPoint)], {
      doing: `flushing ${mountPoint} of ${manifest.storage.disk.id}`,
    });
  }
  return { changedDigest, changedCount: changes.size, ...(tokenDigest && { tokenDigest }) };
}

async function identify(
  { installId, identity }: PersonaliseInput,
  partitions: readonly OpenedPartition[],
): Promise<IdentifiedPartition[]> {
  const identified: IdentifiedPartition[] = [];
  for (const { partition, device } of partitions) {
    const isOwn = partition.type === 'root' && identity === 'unique';
    const uuid = isOwn ? await setUuid(device, partition, installId) : await readUuid(device);
    identified.push({ partition, uuid });
  }
  return identified;
}

/** Mounts all partitions below the root, and moves onto each what the image has there. */
async function mountPartitions(
  installId: string,
  tree: RootTree,
  record: ChangeRecord,
  partitions: readonly OpenedPartition[],
): Promise<string[]> {
  const mountPoints: string[] = [];
  for (const opened of mountedBelowRoot(partitions)) {
    beginStep('move', opened.mountPoint);
    const canonical = await ensureMountPoint(tree, opened.mountPoint);
    const { device, partition } = opened;
    const apart = await mountFilesystem({
      installId,
      device,
      filesystem: partition.filesystem,
      where: `apart/${partition.label}`,
    });
    await moveContent(tree.outside(canonical), apart, record.generation);
    await mountBelow(installId, opened, canonical);
    mountPoints.push(canonical);
  }
  return mountPoints;
}

interface Surroundings {
  readonly tree: RootTree;
  readonly record: ChangeRecord;
  readonly image: PristineTree;
  readonly identified: readonly IdentifiedPartition[];
  readonly rootUuid: string;
}

/** All entries of the machine. The manifest's own files come last: what a person writes wins. */
async function makeEntries(
  secrets: SecretSource,
  input: PersonaliseInput,
  { tree, record, image, identified, rootUuid }: Surroundings,
): Promise<{ entries: Entries; tokenDigest?: PersonaliseResult['tokenDigest'] }> {
  const { installId, manifest, identity, reportUrl, machineId } = input;
  const { machine } = manifest;
  const entries: Entries = new Map();
  const add = (more: Entries): void => {
    for (const [path, entry] of more) entries.set(path, entry);
  };
  beginStep('identity');
  if (identity === 'unique') {
    add(machineIdEntries(installId));
    add(await hostKeyEntries(tree, record, image, tree.outside(`/${STAGING}`)));
  } else {
    add(await genericIdentityEntries(image));
    add(await hostKeyUnitEntries(image));
  }
  add(await hostNameEntries(image, machine.hostname));
  beginStep('network');
  add(await networkEntries(image, machine.network));
  add(await mountEntries(image, manifest, identified, rootUuid));
  beginStep('users');
  const { entries: users, accounts } = await userEntries(secrets, image, manifest);
  add(users);
  beginStep('first-boot');
  add(await scriptEntries(image, machine.firstBoot));
  const token = reportUrl === undefined ? undefined : await reportToken(tree, record);
  if (reportUrl !== undefined && token !== undefined) {
    add(await reportEntries(image, { url: reportUrl, machineId, token }));
  }
  beginStep('files');
  const vfat = identified.flatMap(({ partition }) =>
    partition.filesystem === 'vfat' && partition.mountPoint !== undefined ? [partition.mountPoint] : [],
  );
  add(machineFileEntries(machine.files, accounts, vfat));
  return { entries, ...(token !== undefined && { tokenDigest: digestOf(token) }) };
}

/** Failures of the catalogue and cancellation stay as they are; what is left is about the image's own tree. */
function asFailure(error: unknown, diskId: string): unknown {
  if (error instanceof ApplicationFailure || Context.current().cancellationSignal.aborted) return error;
  if (!(error instanceof Error)) return error;
  const doing = `personalising ${diskId}`;
  const code = errorCode(error);
  if (code === 'ENOSPC') {
    return failure('PersonaliseFailed', `${doing}: a partition is full: ${error.message}`, {
      cause: error,
      remedy: 'Make the partition larger, then amend.',
    });
  }
  // A file that is missing is nothing that the disk did.
  if (code !== undefined) return code === 'ENOENT' ? error : ioFailure(error, doing);
  return failure('PersonaliseFailed', `personalising ${diskId}: ${error.message}`, { cause: error });
}
