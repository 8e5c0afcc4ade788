/**
 * The mark of an install that has begun to write a disk and has not finished its partition table yet.
 *
 * systemd-repart writes the table last. When it is interrupted, the disk holds half-made filesystems and no table: it
 * looks like a disk with somebody's data, which must not be touched without approval. The mark, written before anything
 * else, tells the next attempt of the same install that what is there is its own, also after a power cut. It goes away
 * when the table stands.
 */
import { isDeepStrictEqual } from 'node:util';
import { type NotedDisk, noteBytes, readNote, writeNote } from '../disk/head-note.ts';
import type { DiskSeed } from './uuids.ts';

const MAGIC = 'iguana: an install has begun here and was not finished\n';

/** Whether the disk carries the mark of exactly this install. */
export async function hasMarker(disk: NotedDisk, seed: DiskSeed): Promise<boolean> {
  return isDeepStrictEqual(await readNote(disk, 'mark', 'reading the mark on'), noteBytes(markOf(seed)));
}

/** Writes the mark; it is on the disk when this returns. */
export async function writeMarker(disk: NotedDisk, seed: DiskSeed): Promise<void> {
  await writeNote(disk, 'mark', 'marking', markOf(seed));
}

/** Takes the mark away; the disk has forgotten it when this returns. */
export async function removeMarker(disk: NotedDisk): Promise<void> {
  await writeNote(disk, 'mark', 'removing the mark on', '');
}

const markOf = ({ installId, diskId }: DiskSeed): string =>
  `${MAGIC}${JSON.stringify({ installId, diskId })}\n`;
