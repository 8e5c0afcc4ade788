/** What failures of images mean for an install. */
import type { ApplicationFailure } from '@temporalio/common';
import { BadImage } from '../../image/format/errors.ts';
import { TableFileError } from '../../image/io-error.ts';
import { AllSourcesFailed, NotFound, SourceError } from '../../image/source/errors.ts';
import { BadManifest } from '../../image/transfer/oci-manifest.ts';
import { ChunksNotRead, CorruptChunk } from '../../image/write/errors.ts';
import { type FailureType, failure } from '../failures.ts';

const TABLE_FILES =
  'Free space in the folder for temporary files, look at the health of its disk, or name another folder with TMPDIR; Iguana tries again.';

/** The largest tables lie in files of whoever reads them: neither the image's fault nor that of an install's disk. */
export function tableFileFailure(error: TableFileError, doing: string): ApplicationFailure {
  return failure('ImageUnavailable', `${doing}: ${error.message}`, { cause: error, remedy: TABLE_FILES });
}

/**
 * @param doing for messages
 * @returns the failure, or undefined where it is none of an image
 */
export function imageFailure(error: unknown, doing: string): Error | undefined {
  if (error instanceof TableFileError) return tableFileFailure(error, doing);
  const type = typeOf(error);
  return type && error instanceof Error
    ? failure(type, `${doing}: ${error.message}`, { cause: error })
    : undefined;
}

function typeOf(error: unknown): FailureType | undefined {
  if (error instanceof BadImage || error instanceof BadManifest || error instanceof CorruptChunk)
    return 'ImageCorrupt';
  if (error instanceof ChunksNotRead) return typeOf(error.cause);
  const failures = error instanceof AllSourcesFailed ? error.failures : [error];
  const ofSources = failures.filter((each) => each instanceof SourceError);
  if (ofSources.length === 0) return undefined;
  if (ofSources.some(({ retryable }) => retryable)) return 'ImageUnavailable';
  return ofSources.every((each) => each instanceof NotFound) ? 'ImageMissing' : 'ImageCorrupt';
}
