/**
 * How images are cut and compressed, decided by measurement: `node bench/chunking.ts`. For the reference image and its next
 * release: what a machine with the older one would fetch, how large image and table are, how fast frames decompress.
 * Contenders: fixed chunks against content-defined ones, sizes, levels of zstd, digests.
 */
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { table } from '../client/output/table.ts';
import { BLOCK_BYTES } from '../image/format/limits.ts';
import { CHUNK } from '../image/format/table-layout.ts';
import { type BoundaryRule, byContent, byFileEndOrContent, type ChunkSizes } from '../image/pack/chunking.ts';
import { cut, type RawChunk } from '../image/pack/cut.ts';
import { openInput } from '../image/pack/input.ts';
import { referenceDisk } from './write-image.ts';

const KIB = 2 ** 10;
const MIB = 2 ** 20;

/** Chunks of one size, at multiples of it: what most block-based writers do. */
async function* fixed(stream: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<RawChunk> {
  let offset = 0;
  for await (const piece of stream) {
    for (let start = 0; start < piece.length; start += bytes) {
      const chunk = piece.subarray(start, start + bytes);
      if (!chunk.equals(Buffer.alloc(chunk.length))) yield { offset: offset + start, bytes: chunk };
    }
    offset += piece.length;
  }
}

interface Measured {
  readonly chunks: number;
  readonly packed: number;
  readonly fetched: number;
}

type Cutter = (stream: AsyncIterable<Buffer>) => AsyncIterable<RawChunk>;

/** @returns what the next release costs a machine that has the first */
async function reinstall(first: string, next: string, cutter: Cutter): Promise<Measured> {
  const held = new Set<string>();
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');
  for await (const { bytes } of cutter((await openInput(first)).read())) held.add(digest(bytes));
  const counted = new Set<string>();
  let [chunks, packed, fetched] = [0, 0, 0];
  for await (const { bytes } of cutter((await openInput(next)).read())) {
    chunks += 1;
    const id = digest(bytes);
    if (counted.has(id)) continue;
    counted.add(id);
    const { length } = compress(bytes, 3);
    packed += length;
    if (!held.has(id)) fetched += length;
  }
  return { chunks, packed, fetched };
}

const compress = (bytes: Buffer, level: number): Buffer =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } });

const sizesOf = (averageBytes: number): ChunkSizes => ({
  minBytes: averageBytes / 4,
  averageBytes,
  maxBytes: averageBytes * 4,
});

const contender = (name: string, kib: number, rule: BoundaryRule): readonly [string, Cutter] => [
  name,
  (stream) => cut(stream, sizesOf(kib * KIB), undefined, rule),
];

async function compareChunking(first: string, next: string): Promise<string[][]> {
  const rows: string[][] = [];
  const contenders: (readonly [string, Cutter])[] = [
    ...[64, 256, 1024].map(
      (kib) => [`fixed ${kib} KiB`, (it: AsyncIterable<Buffer>) => fixed(it, kib * KIB)] as const,
    ),
    ...[32, 64, 128, 256, 512].map((kib) => contender(`content ${kib} KiB`, kib, byContent)),
    ...[64, 128].map((kib) => contender(`file ends, content ${kib} KiB`, kib, byFileEndOrContent)),
  ];
  for (const [name, cutter] of contenders) {
    const { chunks, packed, fetched } = await reinstall(first, next, cutter);
    rows.push([
      name,
      String(chunks),
      `${((chunks * CHUNK.bytes) / KIB).toFixed(0)} KiB`,
      `${(packed / MIB).toFixed(0)} MiB`,
      `${((100 * fetched) / packed).toFixed(1)} %`,
    ]);
    console.log(rows.at(-1)?.join('  '));
  }
  return rows;
}

/** Data of the image, spread over it. */
async function sample(path: string, chunkBytes: number, totalBytes: number): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  let taken = 0;
  for await (const { bytes } of fixed((await openInput(path)).read(), chunkBytes)) {
    chunks.push(Buffer.from(bytes));
    taken += bytes.length;
    if (taken >= totalBytes) break;
  }
  return chunks;
}

function rate(bytes: number, work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return bytes / MIB / ((user + system) / 1e6);
}

async function compareLevels(path: string): Promise<string[][]> {
  const rows: string[][] = [];
  for (const kib of [64, 128, 256, 1024]) {
    const chunks = await sample(path, kib * KIB, 256 * MIB);
    const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
    for (const level of [1, 3, 6, 9]) {
      let packed: Buffer[] = [];
      const packing = rate(bytes, () => {
        packed = chunks.map((chunk) => compress(chunk, level));
      });
      const unpacking = rate(bytes, () => {
        for (const frame of packed) zstdDecompressSync(frame, { maxOutputLength: kib * KIB });
      });
      const size = packed.reduce((sum, { length }) => sum + length, 0);
      rows.push([
        `${kib} KiB, level ${level}`,
        `${((100 * size) / bytes).toFixed(1)} %`,
        packing.toFixed(0),
        unpacking.toFixed(0),
      ]);
      console.log(rows.at(-1)?.join('  '));
    }
  }
  return rows;
}

async function compareDigests(path: string): Promise<string[][]> {
  const chunks = await sample(path, 128 * KIB, 256 * MIB);
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  return ['sha256', 'sha512', 'blake2b512', 'blake2s256', 'sha1'].map((algorithm) => [
    algorithm,
    rate(bytes, () => {
      for (const chunk of chunks) createHash(algorithm).update(chunk).digest();
    }).toFixed(0),
  ]);
}

const [first, next] = [(await referenceDisk('first')).raw, (await referenceDisk('made-anew')).raw];
console.log(`blocks of ${BLOCK_BYTES} bytes; rates in MiB of raw bytes for a second of one core`);
const chunking = await compareChunking(first, next);
const levels = await compareLevels(first);
const digests = await compareDigests(first);
console.log(table(['CHUNKS', 'NUMBER', 'TABLE', 'PACKED', 'FETCHED FOR N+1'], chunking));
console.log(table(['FRAMES', 'SIZE', 'PACK', 'UNPACK'], levels));
console.log(table(['DIGEST', 'RATE'], digests));
