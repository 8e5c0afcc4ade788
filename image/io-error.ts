/** Failures of a disk or file, with the place where it happened. */

/** Reading or writing failed; the system's own error, with its code, is the cause. */
export class ImageIoError extends Error {
  override readonly name: string = 'ImageIoError';
  /** `ENOSPC`, `EIO`, `ENXIO`, …; undefined where the system gave no code. */
  readonly code: string | undefined;

  /** @param doing e.g. `writing /dev/vda2 at byte 4096` */
  constructor(doing: string, cause: unknown) {
    super(`${doing}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.code = errorCode(cause);
  }
}

/** A chunk table that lies in a file could not be kept or read: no matter of the disk that an image is written to. */
export class TableFileError extends ImageIoError {
  override readonly name = 'TableFileError';
}

/** The file or device ends before the image does. */
export class TargetTooSmall extends Error {
  override readonly name = 'TargetTooSmall';
}

/** @returns the code that the system gave an error, e.g. `ENOENT` */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
