/** Unpacking: from an Iguana image to a raw file. */
import { open, rename, rm } from 'node:fs/promises';
import type { ImagePart } from '../format/read-image.ts';
import { errorCode, ImageIoError } from '../io-error.ts';
import type { ImageSource } from '../source/source.ts';
import type { WriteProgress, WriteReport } from '../write/request.ts';
import { writeImage } from '../write/writer.ts';

/** What is unpacked where. */
export interface UnpackRequest {
  readonly part: ImagePart;
  readonly source: ImageSource;
  /** It appears when it is whole, sparse where the image is. */
  readonly file: string;
  readonly onProgress?: (progress: WriteProgress) => void;
  readonly signal?: AbortSignal;
}

/** @throws what {@link writeImage} throws; ImageIoError */
export async function unpackPart({ part, file, ...rest }: UnpackRequest): Promise<WriteReport> {
  const target = `${file}.${process.pid}.partial`;
  try {
    await makeSparse(target, part.sizeBytes);
    // What was just written through this system needs no reading back: no disk is trusted with it.
    const report = await writeImage({ ...rest, part: part.chunks, target, readBack: false });
    await rename(target, file);
    return report;
  } catch (error) {
    throw errorCode(error) === undefined || error instanceof ImageIoError
      ? error
      : new ImageIoError(`unpacking to ${file}`, error);
  } finally {
    await rm(target, { force: true });
  }
}

async function makeSparse(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.truncate(sizeBytes);
  } finally {
    await file.close();
  }
}
