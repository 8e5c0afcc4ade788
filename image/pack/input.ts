/** What can be packed: raw images, and what other tools have made of them. The content decides, not the file's name. */
import { open } from 'node:fs/promises';
import { errorCode, ImageIoError } from '../io-error.ts';
import { bmapBeside, type MapNames } from './bmap.ts';
import { COMPRESSIONS, readCompressed } from './compressed-input.ts';
import { withBmap } from './mapped-input.ts';
import { QCOW2_MAGIC, readQcow2 } from './qcow2-input.ts';
import { readRaw } from './raw-input.ts';

/** The raw bytes of an image, from the first to the last. */
export interface ImageInput {
  /** For messages. */
  readonly name: string;
  /** Raw size. */
  readonly sizeBytes: number;
  /** The file with the block map that is used. */
  readonly blockMap?: string;
  /** @throws ImageIoError; BadInput where the file is damaged or cut off */
  read(signal?: AbortSignal): AsyncIterable<Buffer>;
}

const MAGIC_BYTES = 8;

/**
 * Opens a file or block device. A block map beside it ({@link bmapBeside}) is used: what it does not map is zero, and what it maps is
 * compared with its checksums.
 * @param options which names of a block map are tried; default bmaptool's
 * @throws ImageIoError; BadInput for a block map that cannot be understood
 */
export async function openInput(
  path: string,
  { bmap: names = 'bmaptool' }: { readonly bmap?: MapNames | 'none' } = {},
): Promise<ImageInput> {
  const magic = await firstBytes(path);
  const compression = COMPRESSIONS.find((each) => magic.subarray(0, each.magic.length).equals(each.magic));
  const input = compression
    ? await readCompressed(path, compression)
    : magic.subarray(0, QCOW2_MAGIC.length).equals(QCOW2_MAGIC)
      ? await readQcow2(path)
      : await readRaw(path);
  const bmap = names === 'none' ? undefined : await bmapBeside(path, names);
  return bmap ? withBmap(input, bmap) : input;
}

async function firstBytes(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw errorCode(error) === undefined ? error : new ImageIoError(`reading ${path}`, error);
  }
}
