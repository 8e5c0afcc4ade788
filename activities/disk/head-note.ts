/**
 * Notes of Iguana's on a disk: pages between the partition table and the first partition, which belong to nobody. GPT's header and
 * entries end far below (UEFI 2.10, 5.3), and partitions begin at 1 MiB.
 */
import { open } from 'node:fs/promises';
import { ioFailure } from './io-failure.ts';

/** A disk or a disk image, as far as notes are concerned. */
export interface NotedDisk {
  /** Identity, for messages. */
  readonly id: string;
  readonly path: string;
}

/** Bytes of a note. */
export const NOTE_BYTES = 4096;

/** What precedes the first partition: the table and the notes. */
export const HEAD_BYTES = 2 ** 20;

/** Where each note lies. */
const OFFSETS = {
  /** An install has begun and has not finished its partition table. */
  mark: HEAD_BYTES - NOTE_BYTES,
  /** Which image the root partition holds. */
  held: HEAD_BYTES - 2 * NOTE_BYTES,
} as const;

/** One of the notes. */
export type NoteName = keyof typeof OFFSETS;

/**
 * @param doing for messages: `reading the mark on`
 * @throws the failures of {@link ioFailure}
 */
export async function readNote(disk: NotedDisk, note: NoteName, doing: string): Promise<Buffer> {
  return await withDisk(disk, 'r', doing, async (file) => {
    const buffer = Buffer.alloc(NOTE_BYTES);
    await file.read(buffer, 0, NOTE_BYTES, OFFSETS[note]);
    return buffer;
  });
}

/**
 * Writes a note; it is on the disk when this returns.
 * @param text nothing takes the note away
 */
export async function writeNote(disk: NotedDisk, note: NoteName, doing: string, text: string): Promise<void> {
  await withDisk(disk, 'r+', doing, async (file) => {
    await file.write(noteBytes(text), 0, NOTE_BYTES, OFFSETS[note]);
    await file.sync();
  });
}

/** @throws RangeError where the text is too long */
export function noteBytes(text: string): Buffer {
  const bytes = Buffer.alloc(NOTE_BYTES);
  if (Buffer.byteLength(text) > NOTE_BYTES)
    throw new RangeError('a note is too long for its place on a disk');
  bytes.write(text);
  return bytes;
}

async function withDisk<T>(
  disk: NotedDisk,
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
