/** Frames that break what docs/image-format.md says of them, though their table is right. */
import { constants, zstdCompressSync } from 'node:zlib';

const SINGLE_SEGMENT = 0x20;
/** Behind it, in the header of a frame of some kilobytes: two bytes of content size. */
const HEADER_BYTES = 7;
const BLOCK_HEADER_BYTES = 3;
const BOMB_BYTES = 32 << 20;

/** How a frame is made of what it should hold, and what is said of it. */
export type BadFrame = readonly [what: string, make: (data: Buffer) => Buffer, says: RegExp];

const NOT_EXACTLY = 'it has more than 65536 bytes, or something follows it';
const NOT_WHOLE = /it is not one whole zstd frame/;

/** Each for a chunk of 64 KiB. */
export const BAD_FRAMES: readonly BadFrame[] = [
  [
    'other bytes in it',
    (data) => zstdCompressSync(Buffer.concat([data.subarray(0, -1), Buffer.from([(data.at(-1) ?? 0) ^ 1])])),
    /expected sha256:[0-9a-f]{64}, found sha256:[0-9a-f]{64}/,
  ],
  ['a byte too few', (data) => zstdCompressSync(data.subarray(0, -1)), /it has only 65535 bytes/],
  [
    'one byte more than its chunk',
    (data) => zstdCompressSync(Buffer.concat([data, Buffer.from('x')])),
    new RegExp(NOT_EXACTLY),
  ],
  [
    'a decompression bomb behind the right bytes',
    (data) => zstdCompressSync(Buffer.concat([data, Buffer.alloc(BOMB_BYTES)])),
    new RegExp(NOT_EXACTLY),
  ],
  [
    'another frame behind it',
    (data) => Buffer.concat([zstdCompressSync(data), zstdCompressSync(Buffer.from('more'))]),
    new RegExp(NOT_EXACTLY),
  ],
  [
    'other bytes behind it',
    (data) => Buffer.concat([zstdCompressSync(data), Buffer.from('more')]),
    new RegExp(NOT_EXACTLY),
  ],
  ['a window of 128 MiB', withLargeWindow, /Frame requires too much memory for decoding/],
  ['no last byte of its checksum', (data) => checked(data).subarray(0, -1), NOT_WHOLE],
  ['no checksum, though it says that it has one', (data) => checked(data).subarray(0, -4), NOT_WHOLE],
  // An empty one, behind all the bytes.
  ['no last block', withoutLastBlock, NOT_WHOLE],
  ['no end', (data) => zstdCompressSync(data).subarray(0, -1), /unexpected end of file/],
];

function checked(data: Buffer): Buffer {
  return zstdCompressSync(data, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

/** Its only block is said not to be the last, and then nothing comes (RFC 8878, 3.1.1.2). */
function withoutLastBlock(data: Buffer): Buffer {
  const frame = zstdCompressSync(data, { params: { [constants.ZSTD_c_checksumFlag]: 0 } });
  let [at, last] = [HEADER_BYTES, HEADER_BYTES];
  while (at < frame.length) {
    last = at;
    at += BLOCK_HEADER_BYTES + (frame.readUIntLE(at, BLOCK_HEADER_BYTES) >> 3);
  }
  frame[last] = (frame[last] ?? 0) & ~1;
  return frame;
}

/** The same frame, but one that says nothing of its size, and wants memory for a window instead (RFC 8878, 3.1.1.1). */
function withLargeWindow(data: Buffer): Buffer {
  const frame = zstdCompressSync(data, { params: { [constants.ZSTD_c_checksumFlag]: 0 } });
  const descriptor = frame[4] ?? 0;
  if ((descriptor & SINGLE_SEGMENT) === 0) throw new Error('the frame has a window of its own');
  const window = (27 - 10) << 3;
  return Buffer.concat([frame.subarray(0, 4), Buffer.from([0, window]), frame.subarray(HEADER_BYTES)]);
}
