/**
 * Making the disk bootable: kernel, boot entry, systemd-boot. The loader's fallback path, the only one that firmware
 * looks at on a disk it does not know, gets its name last, when everything else has been read back from the disk.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { FALLBACK_LOADER } from '../../store/esp-archive.ts';
import type { DiskStep, ImageRef } from '../contract.ts';
import { openDisk, openPartition, rootPartition } from '../disk/disk.ts';
import { exclusively } from '../disk/exclusive.ts';
import { failure } from '../failures.ts';
import { imageBlob } from '../images/image-blob.ts';
import type { ImageLibrary } from '../images/library.ts';
import { requireOwnTable } from '../partition/own-table.ts';
import { readUuid } from '../personalise/filesystem-ids.ts';
import { reportProgress } from '../progress.ts';
import { type DesiredEsp, type EspFile, withDesiredEsp } from './desired-esp.ts';
import { Esp, isSamePath } from './esp.ts';

/** Name of the loader until it may be started; 8.3, so that the rename changes one directory entry. */
const LOADER_BEFORE = 'EFI/BOOT/BOOTX64.NEW';

/**
 * Brings the ESP to exactly the wanted files; also after a kill at any point, and when it is right already.
 * @returns path of the default boot entry on the ESP
 * @throws failure `BootloaderFailed` where kernel or loader are missing, or the ESP is too small
 */
export async function installBootloader(
  images: ImageLibrary,
  input: DiskStep & { readonly image: ImageRef },
): Promise<{ entry: string }> {
  const { manifest } = input;
  return await exclusively(manifest.storage.disk.id, async () => {
    beginStep('open');
    const disk = await openDisk(input);
    await requireOwnTable(input, disk);
    const partition = manifest.storage.partitions.find(({ type }) => type === 'esp');
    if (!partition) {
      throw failure('BootloaderFailed', 'installing the boot loader: the manifest has no ESP', {
        remedy: 'Add a partition of type esp to storage.partitions, then amend.',
      });
    }
    const rootUuid = await readUuid(await openPartition(input, disk, rootPartition(input)));
    const esp = new Esp(await openPartition(input, disk, partition), disk.id);
    beginStep('unpack');
    const archive = await imageBlob(images, input.image, 'esp');
    return await withDesiredEsp(archive, manifest, rootUuid, async (desired) => {
      try {
        await converge(esp, desired);
      } catch (error) {
        throw withSizes(error, desired.files, partition.sizeBytes);
      }
      return { entry: desired.entry };
    });
  });
}

/** Says what is being done, and stops there when the install was cancelled. */
function beginStep(step: string, message?: string): void {
  Context.current().cancellationSignal.throwIfAborted();
  reportProgress({ step, ...(message !== undefined && { message }) });
}

async function converge(esp: Esp, { files }: DesiredEsp): Promise<void> {
  beginStep('check');
  await esp.repair();
  // What a killed attempt wrote may be only in the cache: what counts is what the disk has.
  await esp.flush();
  const present = await esp.list();
  const wrong = await differing(esp, present, files);
  const surplus = present.filter((path) => !isWanted(path, files));
  if (wrong.length === 0 && surplus.length === 0) return;
  // From here until the end the disk must not start: first the name goes that firmware looks for.
  if (present.some((path) => isSamePath(path, FALLBACK_LOADER))) await esp.remove(FALLBACK_LOADER);
  for (const path of outermost(surplus)) {
    beginStep('clear', path);
    await esp.remove(path);
  }
  const others = wrong.filter(({ path }) => !isSamePath(path, FALLBACK_LOADER));
  for (const file of others) {
    beginStep('copy', file.path);
    await esp.write(file.path, file.localFile);
  }
  const loader = files.find(({ path }) => path === FALLBACK_LOADER);
  if (!loader) return;
  beginStep('copy', LOADER_BEFORE);
  await esp.write(LOADER_BEFORE, loader.localFile);
  await esp.flush();
  beginStep('read back');
  for (const file of files) await readBack(esp, file === loader ? LOADER_BEFORE : file.path, file);
  beginStep('make bootable');
  await esp.rename(LOADER_BEFORE, 'BOOTX64.EFI');
  await esp.flush();
  await readBack(esp, FALLBACK_LOADER, loader);
}

async function differing(
  esp: Esp,
  present: readonly string[],
  files: readonly EspFile[],
): Promise<EspFile[]> {
  const wrong: EspFile[] = [];
  for (const file of files) {
    const isThere = present.some((path) => isSamePath(path, file.path));
    if (!isThere || (await esp.digest(file.path)) !== file.digest) wrong.push(file);
  }
  return wrong;
}

function isWanted(path: string, files: readonly EspFile[]): boolean {
  return path.endsWith('/')
    ? files.some((file) => isSamePath(file.path.slice(0, path.length), path))
    : files.some((file) => isSamePath(file.path, path));
}

/** Removing a folder removes what is in it. */
function outermost(paths: readonly string[]): string[] {
  return paths.filter(
    (path) => !paths.some((other) => other.endsWith('/') && other !== path && path.startsWith(other)),
  );
}

async function readBack(esp: Esp, path: string, file: EspFile): Promise<void> {
  const found = await esp.digest(path);
  if (found === file.digest) return;
  throw failure('DiskWriteFailed', `reading ${path} back from the ESP: it is not what was written`, {
    context: { path, expected: file.digest, found },
  });
}

/** What mtools say when nothing more fits (`Disk full`) gets the figures. */
function withSizes(error: unknown, files: readonly EspFile[], capacityBytes: number): unknown {
  if (!(error instanceof ApplicationFailure) || !/Disk full|No free cluster/i.test(error.message))
    return error;
  const neededBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return failure(
    'BootloaderFailed',
    `installing the boot loader: its files have ${neededBytes} bytes, and the ESP of ${capacityBytes} bytes is too small`,
    {
      cause: error,
      context: { neededBytes, capacityBytes },
      remedy: 'Make the partition of type esp larger, then amend.',
    },
  );
}
