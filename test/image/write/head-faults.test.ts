/** Images whose manifest, configuration or table is wrong: the disk is not touched, and mended, they are written. */
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../../image/digest.ts';
import { CHUNK, HEADER, tableBytes } from '../../../image/format/table-layout.ts';
import { folderWith } from '../servers/folder.ts';
import { startNginx } from '../servers/nginx.ts';
import { attempt, noise } from './attempt.ts';
import { packSample, type SampleImage } from './sample-image.ts';
import { bytesOf, sha256, sha256sum, toldBy } from './writing.ts';

const RAW = bytesOf('ab0c');
const DIGESTS = /expected sha256:[0-9a-f]{64}, found sha256:[0-9a-f]{64}/.source;

type Json = Record<string, unknown> & { digest: Digest; size: number; sizeBytes: number; rawBytes: number };

/** The blobs of an image in a folder, which can be made anew with all digests right. */
class Layout {
  readonly folder: string;

  constructor({ folder }: SampleImage) {
    this.folder = folder;
  }

  path(digest: Digest): string {
    return join(this.folder, 'blobs', digest.replace(':', '/'));
  }

  get manifest() {
    const index = this.#json(join(this.folder, 'index.json')) as { manifests: [Json] };
    const [entry] = index.manifests;
    const manifest = this.#json(this.path(entry.digest)) as { config: Json; layers: Json[] };
    const config = this.#json(this.path(manifest.config.digest)) as { parts: [{ table: Json }] };
    return { index, entry, manifest, config, table: config.parts[0].table };
  }

  /** Puts another table into the image. @param change of the raw bytes; may give other ones */
  retable(change: (raw: Buffer) => Buffer): void {
    const { index, entry, manifest, config, table } = this.manifest;
    const raw = zstdDecompressSync(readFileSync(this.path(table.digest)));
    const blob = this.#put(zstdCompressSync(change(raw)));
    const layer = manifest.layers.find(({ digest }) => digest === table.digest);
    if (!layer) throw new Error('the table is no layer');
    Object.assign(layer, blob);
    Object.assign(table, { digest: blob.digest, sizeBytes: blob.size });
    Object.assign(manifest.config, this.#put(Buffer.from(JSON.stringify(config))));
    Object.assign(entry, this.#put(Buffer.from(JSON.stringify(manifest))));
    writeFileSync(join(this.folder, 'index.json'), JSON.stringify(index));
  }

  #put(bytes: Buffer): { digest: Digest; size: number } {
    const digest = digestOf(bytes);
    writeFileSync(this.path(digest), bytes);
    return { digest, size: bytes.length };
  }

  #json(path: string): unknown {
    return JSON.parse(readFileSync(path, 'utf8'));
  }
}

function flipBit(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Where a number of a chunk is in the raw table. */
const placeOf = (raw: Buffer, chunk: number, field: number): number =>
  tableBytes(raw.readUInt32LE(HEADER.packCount), chunk) + field;

function withLong(
  raw: Buffer,
  { chunk, field, value }: { chunk: number; field: number; value: number },
): Buffer {
  raw.writeBigUInt64LE(BigInt(value), placeOf(raw, chunk, field));
  return raw;
}

const FAULTS: readonly (readonly [string, (layout: Layout) => void, RegExp])[] = [
  [
    'a flipped bit in the manifest',
    (layout) => flipBit(layout.path(layout.manifest.entry.digest)),
    new RegExp(`reading sha256:[0-9a-f]{64} from SOURCE: the digest differs; ${DIGESTS}`),
  ],
  [
    'a flipped bit in the configuration',
    (layout) => flipBit(layout.path(layout.manifest.manifest.config.digest)),
    new RegExp(`reading sha256:[0-9a-f]{64} from SOURCE: the digest differs; ${DIGESTS}`),
  ],
  [
    'a flipped bit in the table',
    (layout) => flipBit(layout.path(layout.manifest.table.digest)),
    new RegExp(`reading sha256:[0-9a-f]{64} from SOURCE: the digest differs; ${DIGESTS}`),
  ],
  [
    'a truncated table',
    (layout) => truncateSync(layout.path(layout.manifest.table.digest), 100),
    /from SOURCE: .*; expected \d+ bytes, found 100 bytes/,
  ],
  [
    'a table that is missing',
    (layout) => rmSync(layout.path(layout.manifest.table.digest)),
    /reading sha256:[0-9a-f]{64} from SOURCE: /,
  ],
  [
    'a table whose chunks overlap',
    (layout) =>
      layout.retable((raw) => withLong(raw, { chunk: 5, field: CHUNK.offset, value: (5 << 16) - 4096 })),
    /of SOURCE: the chunk table of disk: chunk 5 overlaps the one before, or is out of order: expected from 327680, found 323584/,
  ],
  [
    'a table that exceeds the disk',
    (layout) =>
      layout.retable((raw) => {
        const last = raw.readUInt32LE(HEADER.chunkCount) - 1;
        return withLong(raw, { chunk: last, field: CHUNK.offset, value: RAW.length - 4096 });
      }),
    /of SOURCE: the chunk table of disk: chunk \d+ reaches beyond the end of the part: expected 4194304, found 4255744/,
  ],
  [
    'a table that exceeds a pack',
    (layout) =>
      layout.retable((raw) => withLong(raw, { chunk: 7, field: CHUNK.packedOffset, value: 2 ** 40 })),
    /of SOURCE: the chunk table of disk: chunk 7 reaches beyond the end of pack 0: expected \d+, found \d+/,
  ],
  [
    'a table that is a decompression bomb',
    (layout) => layout.retable((raw) => Buffer.concat([raw, Buffer.alloc(32 << 20)])),
    /of SOURCE: the chunk table of disk: it does not decompress to its \d+ bytes/,
  ],
];

describe.each(['a folder', 'a web server'])('an image in %s with', (place) => {
  it.each(FAULTS)('%s', async (_, damage, says) => {
    const bad = packSample(RAW, folderWith());
    damage(new Layout(bad));
    const isWeb = place === 'a web server';
    const reference = isWeb ? (await startNginx(bad.folder)).url : `oci:${bad.folder}`;
    const target = noise(RAW.length);
    const before = readFileSync(target);
    const { error } = await attempt({ references: [reference], target });
    const said = toldBy(error).replaceAll(isWeb ? `${reference}/` : reference, 'SOURCE');
    expect(said).toMatch(says);
    expect(readFileSync(target).equals(before)).toBe(true);

    packSample(RAW, bad.folder);
    expect((await attempt({ references: [reference], target })).error).toBeUndefined();
    expect(await sha256sum(target)).toBe(sha256(RAW));
  });
});
