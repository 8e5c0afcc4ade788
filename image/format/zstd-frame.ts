/** What a zstd frame says of itself (RFC 8878, 3.1.1), before anything is allocated for it. */
import { type TableBytes, tableBytesOf } from './table-bytes.ts';

const MAGIC = Buffer.from('28b52ffd', 'hex');
/** Of what comes before the first block. */
const MAX_HEAD_BYTES = 18;
const BLOCK_HEADER_BYTES = 3;
/** A block of one byte, repeated. */
const RLE = 1;
const CHECKSUM_BYTES = 4;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

/** One frame. */
export interface ZstdFrame {
  /** Bytes of the frame itself. */
  readonly length: number;
  /** What a decoder has to keep of its output, at most. */
  readonly windowBytes: number;
  readonly blocks: number;
}

/** What a frame may have. */
export interface FrameLimits {
  readonly maxBlocks: number;
}

/**
 * The frame that the bytes begin with.
 * @param bytes each block's header is one reading of them: see `lookingAhead` for those of a file
 * @returns undefined where they begin with none, or end inside of it, or where it has more blocks
 */
export function zstdFrame(bytes: Buffer | TableBytes, limits: FrameLimits): ZstdFrame | undefined {
  try {
    return frameOf(tableBytesOf(bytes), limits);
  } catch (error) {
    // Beyond the end of the bytes.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function frameOf(bytes: TableBytes, { maxBlocks }: FrameLimits): ZstdFrame | undefined {
  const head = bytes.read(0, Buffer.alloc(Math.min(MAX_HEAD_BYTES, bytes.length)));
  if (!head.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const descriptor = head.readUInt8(MAGIC.length);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const dictionaryBytes = DICTIONARY_ID_BYTES[descriptor & 3] ?? 0;
  const sizeFlag = descriptor >> 6;
  const contentBytes = sizeFlag === 0 && isSingleSegment ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] ?? 0);
  const windowAt = MAGIC.length + 1;
  const contentAt = windowAt + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  const windowBytes = isSingleSegment
    ? contentSize(head, contentAt, contentBytes)
    : windowSize(head.readUInt8(windowAt));
  let at = contentAt + contentBytes;
  const room = Buffer.alloc(BLOCK_HEADER_BYTES);
  let blocks = 0;
  for (let isLast = false; !isLast; blocks++) {
    if (blocks === maxBlocks || at + room.length > bytes.length) return undefined;
    const header = bytes.read(at, room).readUIntLE(0, room.length);
    isLast = (header & 1) === 1;
    at += BLOCK_HEADER_BYTES + (((header >> 1) & 3) === RLE ? 1 : header >> 3);
  }
  if (hasChecksum) at += CHECKSUM_BYTES;
  return at > bytes.length ? undefined : { length: at, windowBytes, blocks };
}

function contentSize(bytes: Buffer, at: number, length: number): number {
  if (length === 8) return Number(bytes.readBigUInt64LE(at));
  // Two bytes begin where one ends.
  return bytes.readUIntLE(at, length) + (length === 2 ? 256 : 0);
}

/** Three bits of mantissa, five of exponent. */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
