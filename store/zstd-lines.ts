/** The lines of a zstd file, bounded before anything is allocated for them: images come from somewhere else. */
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { pipeline } from 'node:stream';
import { constants, createZstdDecompress } from 'node:zlib';
import { BadImage } from '../image/format/errors.ts';
import { MAX_WINDOW_BYTES, maxBlocks, maxPackedBytes } from '../image/format/limits.ts';
import { lookingAhead, type TableBytes } from '../image/format/table-bytes.ts';
import { zstdFrame } from '../image/format/zstd-frame.ts';
import { ImageIoError } from '../image/io-error.ts';

/** What a file may have. */
export interface LineLimits {
  /** Of all lines with their line feeds. */
  readonly maxBytes: number;
  /** Of one line without its line feed. */
  readonly maxLineBytes: number;
}

const PIECE_BYTES = 1 << 16;
const LINE_FEED = 0x0a;

/**
 * By line feeds only: Node's readline also splits at what JSON leaves in names as it is, as U+2028.
 * @param doing for messages: `reading the list PATH`
 * @yields lines without their line feeds
 * @throws BadImage where it is not whole zstd frames, or more than the limits allow; ImageIoError
 */
export async function* linesOfZstd(
  path: string,
  doing: string,
  { maxBytes, maxLineBytes }: LineLimits,
): AsyncGenerator<Buffer> {
  checkFrames(path, doing, maxBytes);
  const tooLong = (): BadImage =>
    new BadImage(doing, 'a line of it is too long', { expected: `at most ${maxLineBytes} bytes` });
  let total = 0;
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const piece of unpacked(path, doing)) {
    total += piece.length;
    if (total > maxBytes)
      throw new BadImage(doing, 'it unpacks to too much', { expected: `at most ${maxBytes} bytes` });
    let from = 0;
    for (let at = piece.indexOf(LINE_FEED); at !== -1; at = piece.indexOf(LINE_FEED, from)) {
      if (restBytes + at - from > maxLineBytes) throw tooLong();
      yield Buffer.concat([...rest, piece.subarray(from, at)]);
      rest = [];
      restBytes = 0;
      from = at + 1;
    }
    rest.push(piece.subarray(from));
    restBytes += piece.length - from;
    if (restBytes > maxLineBytes) throw tooLong();
  }
  if (restBytes > 0) yield Buffer.concat(rest);
}

/**
 * Node's decoder leaves unread what follows a frame and is none. Node's encoder ends what it writes with an empty frame. Nothing else
 * runs meanwhile: all frames together have no more blocks than one may have.
 */
function checkFrames(path: string, doing: string, maxBytes: number): void {
  withFile(path, doing, (bytes) => {
    const { length } = bytes;
    if (length > maxPackedBytes(maxBytes))
      throw new BadImage(doing, 'it is too large', {
        expected: `at most ${maxPackedBytes(maxBytes)} bytes`,
        found: length,
      });
    let at = 0;
    let blocksLeft = maxBlocks(maxBytes);
    do {
      const frame = zstdFrame(behind(bytes, at), { maxBlocks: blocksLeft });
      if (!frame)
        throw new BadImage(
          doing,
          `at byte ${at} of ${length} is no zstd frame, one with too many blocks, or one that is cut off`,
        );
      if (frame.windowBytes > MAX_WINDOW_BYTES)
        throw new BadImage(doing, 'the window of its zstd frame is too large', {
          expected: `at most ${MAX_WINDOW_BYTES} bytes`,
          found: frame.windowBytes,
        });
      at += frame.length;
      blocksLeft -= frame.blocks;
    } while (at < length);
  });
}

const behind = (bytes: TableBytes, start: number): TableBytes => ({
  length: bytes.length - start,
  read: (offset, room) => bytes.read(start + offset, room),
});

function withFile(path: string, doing: string, use: (bytes: TableBytes) => void): void {
  try {
    const file = openSync(path, 'r');
    try {
      use(bytesOf(file));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw error instanceof BadImage ? error : new ImageIoError(doing, error);
  }
}

/** A block's header is often near the one before. */
const bytesOf = (file: number): TableBytes =>
  lookingAhead({
    length: fstatSync(file).size,
    read: (offset, room) => room.subarray(0, readSync(file, room, 0, room.length, offset)),
  });

async function* unpacked(path: string, doing: string): AsyncGenerator<Buffer> {
  const params = { [constants.ZSTD_d_windowLogMax]: Math.log2(MAX_WINDOW_BYTES) };
  const unpack = createZstdDecompress({ chunkSize: PIECE_BYTES, params });
  // An error of either ends the other, and comes out of the loop.
  pipeline(createReadStream(path), unpack, () => undefined);
  try {
    for await (const piece of unpack) yield piece;
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new ImageIoError(doing, error);
    const what = `it cannot be unpacked (${error instanceof Error ? error.message : String(error)})`;
    throw new BadImage(doing, what, { cause: error });
  }
}
