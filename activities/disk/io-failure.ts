/** Failures of system calls on a disk, in the terms of the catalogue. */
import { errorCode, TableFileError } from '../../image/io-error.ts';
import { failure } from '../failures.ts';
import { tableFileFailure } from '../images/failures.ts';

const GONE = new Set(['ENXIO', 'ENODEV', 'ENOMEDIUM', 'ENOENT']);
const BROKEN = new Set(['EIO', 'EREMOTEIO', 'ETIMEDOUT']);

/**
 * Names the failure of reading or writing a disk.
 * @param error what the system call threw
 * @param doing a gerund with its object: `writing root of wwn:0x5000c500a1b2c3d4`
 * @returns the failure to throw; for the file of a chunk table that of the image; `error` itself where it is no matter of the disk
 */
export function ioFailure(error: unknown, doing: string): unknown {
  if (error instanceof TableFileError) return tableFileFailure(error, doing);
  const code = errorCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  const words = error.message;
  if (GONE.has(code))
    return failure('DiskVanished', `${doing}: the disk is gone: ${words}`, { cause: error });
  if (BROKEN.has(code))
    return failure('DiskWriteFailed', `${doing}: the disk reports an error: ${words}`, { cause: error });
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return failure('DiskWriteFailed', `${doing}: no space is left where the disk is kept: ${words}`, {
      cause: error,
      remedy: 'Free space on the filesystem that holds the disk image; Iguana tries again.',
    });
  if (code === 'EROFS' || code === 'EPERM')
    return failure('DiskReadOnly', `${doing}: it cannot be written: ${words}`, { cause: error });
  return error;
}
