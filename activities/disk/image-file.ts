/** Disk images as files. */
import { link, open, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../../image/io-error.ts';
import { failure } from '../failures.ts';
import { ioFailure } from './io-failure.ts';

/**
 * The size of a disk image.
 * @returns undefined where there is no such file
 * @throws failure `DiskChanged` where it is something else than a file of `sizeBytes`
 */
export async function checkImageFile(path: string, sizeBytes: number): Promise<number | undefined> {
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw ioFailure(error, `looking at the disk image ${path}`);
  }
  const remedy = 'Name another file, give its own size, or remove it, then retry.';
  if (!found.isFile())
    throw failure('DiskChanged', `looking at the disk image ${path}: it is no regular file`, { remedy });
  if (found.size !== sizeBytes)
    throw failure(
      'DiskChanged',
      `looking at the disk image ${path}: it has ${found.size} bytes, not the ${sizeBytes} that were asked for`,
      { remedy, context: { expected: sizeBytes, found: found.size } },
    );
  return found.size;
}

/**
 * Creates a sparse disk image, whole or not at all; one that exists is left as it is.
 * @throws failure `DiskChanged` where the file exists with another size
 */
export async function ensureImageFile(path: string, sizeBytes: number): Promise<void> {
  if ((await checkImageFile(path, sizeBytes)) !== undefined) return;
  const doing = `creating the disk image ${path}`;
  // The folder holds only complete images: under its own name the file appears when it has its size.
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.new`);
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.truncate(sizeBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike rename(2), link(2) never replaces a file that somebody else has made meanwhile.
    await link(temporary, path);
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT')
      throw failure('DiskVanished', `${doing}: its folder does not exist where the agent runs`, {
        cause: error,
        remedy: 'Create the folder; Iguana tries again.',
      });
    throw ioFailure(error, doing);
  } finally {
    await rm(temporary, { force: true });
  }
  await checkImageFile(path, sizeBytes);
}
