/**
 * Where the bytes of a chunk table lie: in memory where they are few, else in a file. The largest have 128 MiB, more than a writer
 * may need for all that it does, and are read in order.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TableFileError } from '../io-error.ts';

/** The bytes of a table, not compressed. */
export interface TableBytes {
  readonly length: number;
  /** What lies there, as much as the room has room for: in the room, or where it is anyway. */
  read(offset: number, room: Buffer): Buffer;
}

const PIECE_BYTES = 1 << 20;
/** More than a header of a zstd frame or a block, and less than most blocks, which are passed over. */
const LOOK_BYTES = 4096;

/** @returns what was given, where it lies somewhere already */
export const tableBytesOf = (bytes: Buffer | TableBytes): TableBytes =>
  Buffer.isBuffer(bytes)
    ? { length: bytes.length, read: (offset, room) => bytes.subarray(offset, offset + room.length) }
    : bytes;

/** All of it, in order; each piece is there until the next is asked for. */
export function* piecesOf(bytes: TableBytes, pieceBytes = PIECE_BYTES): Generator<Buffer> {
  const room = Buffer.allocUnsafeSlow(Math.min(pieceBytes, bytes.length));
  for (let at = 0; at < bytes.length; at += room.length) {
    yield bytes.read(at, room.subarray(0, Math.min(room.length, bytes.length - at)));
  }
}

/**
 * For who reads a few bytes at a time, in order: what is near the last ones is often there already, without another system call.
 * What is given is there until more is asked for.
 */
export function lookingAhead(bytes: TableBytes): TableBytes {
  const room = Buffer.alloc(LOOK_BYTES);
  let seen: Buffer = room.subarray(0, 0);
  let start = 0;
  return {
    length: bytes.length,
    read(offset, { length }) {
      if (offset < start || offset + length > start + seen.length) {
        const count = Math.min(Math.max(length, LOOK_BYTES), bytes.length - offset);
        // A reading that fails may have overwritten some of it.
        seen = room.subarray(0, 0);
        seen = bytes.read(offset, count > LOOK_BYTES ? Buffer.alloc(count) : room.subarray(0, count));
        start = offset;
      }
      return seen.subarray(offset - start, offset - start + length);
    },
  };
}

/** Of most tables nobody says when they are not needed any more: images are read, and forgotten. */
const forgotten = new FinalizationRegistry<number>((file) => closeSync(file));

/** A table in a file. */
export class TableFile implements TableBytes {
  readonly length: number;
  readonly #path: string;
  /** Undefined when it is closed. */
  #file: number | undefined;

  private constructor(path: string, file: number, length: number) {
    this.#path = path;
    this.#file = file;
    this.length = length;
    forgotten.register(this, file, this);
  }

  /**
   * @param length what is behind it is not read
   * @throws TableFileError
   */
  static open(path: string, length: number): TableFile {
    try {
      return new TableFile(path, openSync(path, 'r'), length);
    } catch (error) {
      throw new TableFileError(`opening ${path}`, error);
    }
  }

  /**
   * Keeps a table in a file without a name, in the folder for temporary files.
   * @param doing for messages: `reading the chunk table of PART of IMAGE`
   * @throws TableFileError where it cannot be kept; what the pieces throw
   */
  static async keep(doing: string, pieces: AsyncIterable<Buffer>): Promise<TableFile> {
    const path = join(tmpdir(), `iguana-table-${randomUUID()}`);
    const attempt = async <T>(action: () => Promise<T>): Promise<T> => {
      try {
        return await action();
      } catch (error) {
        const what = `${doing}: keeping it in ${path} (TMPDIR names another folder)`;
        throw new TableFileError(what, error);
      }
    };
    const file = await attempt(() => open(path, 'wx', 0o600));
    try {
      let length = 0;
      for await (const piece of pieces) {
        await attempt(() => file.writeFile(piece));
        length += piece.length;
      }
      return TableFile.open(path, length);
    } finally {
      await file.close();
      rmSync(path, { force: true });
    }
  }

  /** It may be done twice. */
  close(): void {
    if (this.#file === undefined) return;
    forgotten.unregister(this);
    closeSync(this.#file);
    this.#file = undefined;
  }

  /** @throws TableFileError */
  read(offset: number, room: Buffer): Buffer {
    const doing = `reading the chunk table in ${this.#path} at byte ${offset}`;
    // Its number may be another file's by now.
    if (this.#file === undefined) throw new TableFileError(doing, new Error('it is closed'));
    for (let done = 0; done < room.length; ) {
      let read: number;
      try {
        read = readSync(this.#file, room, done, room.length - done, offset + done);
      } catch (error) {
        throw new TableFileError(doing, error);
      }
      if (read === 0) throw new TableFileError(doing, new Error('the file ends there'));
      done += read;
    }
    return room;
  }
}
