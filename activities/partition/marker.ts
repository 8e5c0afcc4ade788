/**
 * The mark of an install that has begun to write a disk and has not finished its partition table yet.
 *
 * systemd-repart writes the table last. When it is interrupted, the disk holds half-made filesystems and no table: it
 * looks like a disk with somebody's data, which must not be touched without approval. The mark, written before anything
 * else, tells the next attempt of the same install that what is there is its own, also after a power cut. It goes away
 * when the table stands.
 */
import { open } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { ioFailure } from '../disk/io-failure.ts';
import type { DiskSeed } from './uuids.ts';

/** A disk or a disk image, as far as the mark is concerned. */
export interface MarkedDisk {
  /** Identity, for messages. */
  readonly id: string;
  readonly path: string;
}

const MARK_BYTES = 4096;
/** The last 4 KiB before the first partition: GPT's header and entries end far below (UEFI 2.10, 5.3). */
const MARK_OFFSET = 2 ** 20 - MARK_BYTES;
const MAGIC = 'iguana: an install has begun here and was not finished\n';

/** Whether the disk carries the mark of exactly this install. */
export async function hasMarker(disk: MarkedDisk, seed: DiskSeed): Promise<boolean> {
  return withDisk(disk, 'r', 'reading the mark on', async (file) => {
    const buffer = Buffer.alloc(MARK_BYTES);
    await file.read(buffer, 0, MARK_BYTES, MARK_OFFSET);
    return isDeepStrictEqual(buffer, markBytes(seed));
  });
}

/** Writes the mark; it is on the disk when this returns. */
export async function writeMarker(disk: MarkedDisk, seed: DiskSeed): Promise<void> {
  await writeMark(disk, 'marking', markBytes(seed));
}

/** Takes the mark away; the disk has forgotten it when this returns. */
export async function removeMarker(disk: MarkedDisk): Promise<void> {
  await writeMark(disk, 'removing the mark on', Buffer.alloc(MARK_BYTES));
}

function markBytes({ installId, diskId }: DiskSeed): Buffer {
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.write(`${MAGIC}${JSON.stringify({ installId, diskId })}\n`);
  return bytes;
}

async function writeMark(disk: MarkedDisk, doing: string, bytes: Buffer): Promise<void> {
  await withDisk(disk, 'r+', doing, async (file) => {
    await file.write(bytes, 0, bytes.length, MARK_OFFSET);
    await file.sync();
  });
}

async function withDisk<T>(
  disk: MarkedDisk,
  flags: 'r' | 'r+',
  doing: string,
  work: (file: Awaited<ReturnType<typeof open>>) => Promise<T>,
): Promise<T> {
  try {
    const file = await open(disk.path, flags);
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioFailure(error, `${doing} ${disk.id}`);
  }
}
