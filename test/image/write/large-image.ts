/** Images with as many chunks as one may have, made quickly: most chunks are one block, of which a frame of a few bytes is known. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import type { Digest } from '../../../image/digest.ts';
import { encodeConfig } from '../../../image/format/config.ts';
import { encodeManifest } from '../../../image/format/manifest.ts';
import { CHUNK, DIGEST_BYTES, HEADER, MAGIC, PACK, tableBytes } from '../../../image/format/table-layout.ts';
import type { BlobDescriptor } from '../../../image/source/source.ts';

const BLOCK_BYTES = 4096;
const FRAME_BYTES = 19;
/** Of the eight of a number: as many as Node writes at once. */
const NUMBER_BYTES = 6;
/** Zeros behind the last chunk. */
const TAIL_BYTES = 64 << 20;

/** What the image consists of, in this order; then zeros. */
export interface LargeShape {
  /** Chunks that cannot be compressed, so that a write has as much in memory as it ever has. */
  readonly bulk: readonly Buffer[];
  /** Chunks of one block. */
  readonly blocks: number;
  /** Which blocks they are: two images whose numbers overlap have blocks in common. */
  readonly firstBlock: number;
  /** So many blocks are right; the others, which a write never comes to, have any digest and no frame. Default all. */
  readonly rightBlocks?: number;
}

/** Makes it in a layout folder. */
export function largeImage(
  folder: string,
  { bulk, blocks, firstBlock, rightBlocks = blocks }: LargeShape,
): void {
  const blobs = join(folder, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (...pieces: readonly Buffer[]): BlobDescriptor => {
    const digest = digestOf(...pieces);
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), Buffer.concat(pieces));
    return { digest, sizeBytes: pieces.reduce((sum, { length }) => sum + length, 0) };
  };
  const packed = bulk.map((bytes) => zstdCompressSync(bytes));
  const frames = Buffer.alloc(blocks * FRAME_BYTES);
  const raw = Buffer.alloc(tableBytes(1, bulk.length + blocks));
  let [index, offset, packedOffset] = [0, 0, 0];
  const add = (length: number, packedLength: number, digest: Buffer): void => {
    const at = tableBytes(1, index++);
    raw.writeUIntLE(offset, at + CHUNK.offset, NUMBER_BYTES);
    raw.writeUIntLE(packedOffset, at + CHUNK.packedOffset, NUMBER_BYTES);
    raw.writeUInt32LE(length, at + CHUNK.length);
    raw.writeUInt32LE(packedLength, at + CHUNK.packedLength);
    digest.copy(raw, at + CHUNK.digest);
    offset += length;
    packedOffset += packedLength;
  };
  for (const [which, bytes] of bulk.entries()) add(bytes.length, packed[which]?.length ?? 0, sha256(bytes));
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let which = 0; which < rightBlocks; which++) {
    fillBlock(block, frames.subarray(which * FRAME_BYTES, (which + 1) * FRAME_BYTES), firstBlock + which);
    add(BLOCK_BYTES, FRAME_BYTES, sha256(block));
  }
  const others = randomBytes((blocks - rightBlocks) * DIGEST_BYTES);
  for (let at = 0; at < others.length; at += DIGEST_BYTES)
    add(BLOCK_BYTES, FRAME_BYTES, others.subarray(at, at + DIGEST_BYTES));
  const pack = put(...packed, frames);
  MAGIC.copy(raw);
  raw.writeUInt32LE(BLOCK_BYTES, HEADER.blockBytes);
  raw.writeUInt32LE(Math.max(BLOCK_BYTES, ...bulk.map(({ length }) => length)), HEADER.maxChunkBytes);
  raw.writeBigUInt64LE(BigInt(offset + TAIL_BYTES), HEADER.sizeBytes);
  raw.writeBigUInt64LE(BigInt(offset), HEADER.dataBytes);
  raw.writeUInt32LE(1, HEADER.packCount);
  raw.writeUInt32LE(index, HEADER.chunkCount);
  raw.write(pack.digest.slice('sha256:'.length), HEADER.bytes + PACK.digest, 'hex');
  raw.writeBigUInt64LE(BigInt(pack.sizeBytes), HEADER.bytes + PACK.sizeBytes);
  const table = put(zstdCompressSync(raw));
  const config = put(
    encodeConfig({
      version: 1,
      parts: [
        {
          name: 'disk',
          kind: 'disk',
          sizeBytes: offset + TAIL_BYTES,
          blockBytes: BLOCK_BYTES,
          // Nobody asks for it: the table has the digests of the chunks.
          digest: digestOf(randomBytes(32)),
          dataBytes: offset,
          table: { ...table, rawBytes: raw.length },
        },
      ],
    }),
  );
  const manifest = encodeManifest({ config, tables: [table], attachments: [], packs: [pack] });
  put(manifest.bytes);
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const { digest, mediaType, bytes } = manifest;
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, digest, size: bytes.length }] }),
  );
}

/** Half of it is one byte, a quarter another one, the rest a third: 2²⁴ different blocks, each in three blocks of zstd (RFC 8878, 3.1.1.2.2). */
function fillBlock(block: Buffer, frame: Buffer, number: number): void {
  const lengths = [BLOCK_BYTES / 2, BLOCK_BYTES / 4, BLOCK_BYTES / 4];
  frame.writeUInt32LE(0xfd2fb528, 0);
  // One segment, whose length follows in two bytes.
  frame.writeUInt8(0x60, 4);
  frame.writeUInt16LE(BLOCK_BYTES - 256, 5);
  let [from, at] = [0, 7];
  lengths.forEach((length, which) => {
    const byte = (number >> (8 * which)) & 0xff;
    const isLast = which === lengths.length - 1;
    frame.writeUIntLE((length << 3) | (1 << 1) | Number(isLast), at, 3);
    frame.writeUInt8(byte, at + 3);
    at += 4;
    block.fill(byte, from, from + length);
    from += length;
  });
}

function sha256(...pieces: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}

const digestOf = (...pieces: readonly Buffer[]): Digest => `sha256:${sha256(...pieces).toString('hex')}`;
