/** Raw images: files and block devices. */
import { open } from 'node:fs/promises';
import { errorCode, ImageIoError } from '../io-error.ts';
import type { ImageInput } from './input.ts';

/** Read at once. */
const PIECE_BYTES = 4 * 2 ** 20;

/** @throws ImageIoError */
export async function readRaw(path: string): Promise<ImageInput> {
  const sizeBytes = await attempt(`opening ${path}`, () => sizeOf(path));
  return {
    name: path,
    sizeBytes,
    async *read(signal) {
      const file = await attempt(`opening ${path}`, () => open(path, 'r'));
      try {
        for (let at = 0; at < sizeBytes; ) {
          signal?.throwIfAborted();
          // A buffer for each: chunks are cut from it and compressed while the next is read.
          const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, sizeBytes - at));
          const start = at;
          const { bytesRead } = await attempt(`reading ${path} at byte ${start}`, () =>
            file.read(buffer, 0, buffer.length, start),
          );
          if (bytesRead === 0)
            throw new ImageIoError(
              `reading ${path} at byte ${at}`,
              new Error(`it ends before byte ${sizeBytes}`),
            );
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await file.close();
      }
    },
  };
}

/** The end of a block device has to be found by asking for it: stat(2) says 0. */
async function sizeOf(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    const found = await file.stat();
    if (!found.isBlockDevice()) return found.size;
    return await endOfDevice(path);
  } finally {
    await file.close();
  }
}

async function endOfDevice(path: string): Promise<number> {
  const { execa } = await import('execa');
  const { stdout } = await execa('blockdev', ['--getsize64', path]);
  return Number(stdout);
}

async function attempt<T>(doing: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw errorCode(error) === undefined ? error : new ImageIoError(doing, error);
  }
}
