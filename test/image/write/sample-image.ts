/** Small images as layout folders, from bytes: fixed chunks, made with the format's own codec but not with the packer. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import type { Digest } from '../../../image/digest.ts';
import { type Chunk, encodeTable } from '../../../image/format/chunk-table.ts';
import { encodeConfig } from '../../../image/format/config.ts';
import { encodeManifest } from '../../../image/format/manifest.ts';
import type { BlobDescriptor } from '../../../image/source/source.ts';

const BLOCK_BYTES = 4096;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** An image and where it lies. */
export interface SampleImage {
  readonly folder: string;
  readonly digest: Digest;
  readonly raw: Buffer;
  readonly packs: readonly (BlobDescriptor & { readonly path: string })[];
}

/** Makes the frame of a chunk of the bytes that begins there; undefined for a usual one. */
export type FrameOf = (data: Buffer, offset: number) => Buffer | undefined;

/** Packs bytes into a layout folder, which may hold other images. */
export function packSample(
  raw: Buffer,
  folder: string,
  {
    tag = 'latest',
    chunkBytes = 64 << 10,
    packs: packCount = 1,
    frameOf = (() => undefined) as FrameOf,
  } = {},
): SampleImage {
  const blobs = join(folder, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const put = (bytes: Buffer): BlobDescriptor => {
    const digest = sha256(bytes);
    writeFileSync(pathOf(folder, digest), bytes);
    return { digest, sizeBytes: bytes.length };
  };
  const { chunks, frames } = chunked(raw, { chunkBytes, packCount, frameOf });
  const packs = frames.map((parts) => put(Buffer.concat(parts)));
  const dataBytes = chunks.reduce((sum, { length }) => sum + length, 0);
  const maxChunkBytes = chunks.reduce((most, { length }) => Math.max(most, length), 0);
  const size = { sizeBytes: raw.length, blockBytes: BLOCK_BYTES, dataBytes } as const;
  const rawTable = encodeTable({ ...size, maxChunkBytes }, packs, chunks);
  const table = put(zstdCompressSync(rawTable));
  const part = {
    ...size,
    name: 'disk',
    kind: 'disk',
    digest: sha256(raw),
    table: { ...table, rawBytes: rawTable.length },
  } as const;
  const config = put(encodeConfig({ version: 1, parts: [part] }));
  const manifest = encodeManifest({ config, tables: [table], attachments: [], packs });
  put(manifest.bytes);
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: manifest.mediaType,
          digest: manifest.digest,
          size: manifest.bytes.length,
          annotations: { 'org.opencontainers.image.ref.name': tag },
        },
      ],
    }),
  );
  return {
    folder,
    digest: manifest.digest,
    raw,
    packs: packs.map((pack) => ({ ...pack, path: pathOf(folder, pack.digest) })),
  };
}

/** Chunks end at runs of zero blocks, which belong to none. */
function chunked(
  raw: Buffer,
  { chunkBytes, packCount, frameOf }: { chunkBytes: number; packCount: number; frameOf: FrameOf },
) {
  const frames: Buffer[][] = Array.from({ length: packCount }, () => []);
  const ends = frames.map(() => 0);
  const chunks: Chunk[] = [];
  for (let at = 0; at < raw.length; ) {
    const start = at;
    while (at < raw.length && at - start < chunkBytes && !isZeroBlock(raw, at)) at += BLOCK_BYTES;
    const data = raw.subarray(start, Math.min(at, raw.length));
    if (data.length === 0) {
      at += BLOCK_BYTES;
      continue;
    }
    const pack = Math.min(packCount - 1, Math.floor((start * packCount) / raw.length));
    const frame = frameOf(data, start) ?? zstdCompressSync(data);
    const packedOffset = ends[pack] ?? 0;
    frames[pack]?.push(frame);
    ends[pack] = packedOffset + frame.length;
    chunks.push({
      offset: start,
      length: data.length,
      sha256: sha256(data).slice('sha256:'.length),
      pack,
      packedOffset,
      packedLength: frame.length,
    });
  }
  return { chunks, frames };
}

const isZeroBlock = (raw: Buffer, at: number): boolean =>
  ZEROS.subarray(0, Math.min(BLOCK_BYTES, raw.length - at)).equals(raw.subarray(at, at + BLOCK_BYTES));

const sha256 = (bytes: Buffer): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const pathOf = (folder: string, digest: Digest): string => join(folder, 'blobs', digest.replace(':', '/'));
