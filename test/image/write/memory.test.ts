/** How much memory a write takes, as the kernel counts it, in a process that is started as the command starts Node. */
import { randomBytes } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';
import { folderWith } from '../servers/folder.ts';
import { startNginx } from '../servers/nginx.ts';
import { largeImage } from './large-image.ts';
import { type FrameOf, packSample } from './sample-image.ts';
import { bytesOf, type ChildOptions, writeInChild } from './writing.ts';

const MIB = 1 << 20;
const MOST_BYTES = 256 * MIB;
/** As many chunks as an image may have. */
const MOST_CHUNKS = 2 ** 21;
const THREADS = 4;

const command = readFileSync(new URL('../../../iguana', import.meta.url), 'utf8');
const nodeOptions = command.match(/--max-semi-space-size=\d+/g) ?? [];
const compileCache = folderWith();
/** Half a gibibyte of zeros; packed, it is not longer than a chunk may be. */
const BOMB_BYTES = 512 * MIB;
/** What cannot be compressed: more than is under way at once. */
const bulk = Array.from({ length: 64 }, () => randomBytes(MIB));

const longest = Array.from({ length: 40 }, () => randomBytes(8 * MIB));

const write = (options: Pick<ChildOptions, 'reference' | 'target'> & Partial<ChildOptions>) =>
  writeInChild({ threads: THREADS, readBack: true, compileCache, nodeOptions, ...options });

function emptyDisk(bytes: number): string {
  const target = join(folderWith(), 'disk');
  writeFileSync(target, '');
  truncateSync(target, bytes);
  return target;
}

beforeAll(async () => {
  const image = packSample(bytesOf('ab'), folderWith());
  // Fills the cache.
  await write({ reference: `oci:${image.folder}`, target: emptyDisk(2 * MIB) });
});

it('is less than 256 MiB for much data', async () => {
  const image = packSample(bytesOf('abcdefgh'.repeat(96)), folderWith(), { chunkBytes: 1 << 20 });
  const { url } = await startNginx(image.folder);
  const { maxRssBytes, report } = await write({ reference: url, target: emptyDisk(image.raw.length) });
  expect(report?.written).toBe(image.raw.length);

  expect(maxRssBytes).toBeLessThan(MOST_BYTES);
});

it('is less than 256 MiB with the longest chunks', async () => {
  const folder = folderWith();
  largeImage(folder, { bulk: longest, blocks: 0, firstBlock: 0 });
  const { url } = await startNginx(folder);
  const { maxRssBytes, report } = await write({ reference: url, target: emptyDisk(400 * MIB) });
  expect(report?.written).toBe(320 * MIB);

  expect(maxRssBytes).toBeLessThan(MOST_BYTES);
});

it('is less than 256 MiB with a table that lies in a file, to the end, over an older image all of which has moved, and resumed', async () => {
  const [older, newer] = [folderWith(), folderWith()];
  const blocks = 2 ** 17;
  largeImage(older, { bulk, blocks, firstBlock: 1 });
  largeImage(newer, { bulk, blocks, firstBlock: 2 });
  const target = emptyDisk(bulk.length * MIB + blocks * 4096 + 64 * MIB);
  const first = await write({ reference: `oci:${older}`, target });
  expect(first.report?.written).toBe(bulk.length * MIB + blocks * 4096);
  expect(first.maxRssBytes).toBeLessThan(MOST_BYTES);
  const second = await write({ reference: `oci:${newer}`, held: `oci:${older}`, target });
  expect(second.report?.copied).toBeGreaterThan(0.99 * blocks * 4096);

  expect(second.maxRssBytes).toBeLessThan(MOST_BYTES);
  // All of it is looked for, and hardly anything is found.
  const third = await write({
    reference: `oci:${older}`,
    flushed: [[0, bulk.length * MIB + blocks * 4096]],
    target,
  });
  expect(third.report?.written).toBeGreaterThan(0.99 * blocks * 4096);
  expect(third.maxRssBytes).toBeLessThan(MOST_BYTES);
});

it('is less than 256 MiB with as many chunks as there may be, after the longest', async () => {
  const folder = folderWith();
  largeImage(folder, {
    bulk: longest,
    blocks: MOST_CHUNKS - longest.length,
    firstBlock: 0,
    rightBlocks: 2 ** 15,
  });
  const { url } = await startNginx(folder);
  const { maxRssBytes, progress } = await write({
    reference: url,
    target: emptyDisk(longest.length * 8 * MIB + MOST_CHUNKS * 4096 + 64 * MIB),
    stopAtBytes: 370 * MIB,
  });
  expect(progress.at(-1)?.doneBytes).toBeGreaterThanOrEqual(370 * MIB);

  expect(maxRssBytes).toBeLessThan(MOST_BYTES);
});

it('is less than 256 MiB with as many chunks as there may be, and an older image with as many, all of which have moved', async () => {
  const [older, newer] = [folderWith(), folderWith()];
  const blocks = MOST_CHUNKS - bulk.length;
  for (const [folder, firstBlock] of [
    [older, 1],
    [newer, 2],
  ] as const)
    largeImage(folder, { bulk, blocks, firstBlock, rightBlocks: 2 ** 15 });
  const { maxRssBytes, progress } = await write({
    reference: `oci:${newer}`,
    held: `oci:${older}`,
    target: emptyDisk(bulk.length * MIB + blocks * 4096 + 64 * MIB),
    stopAtBytes: 64 * MIB,
  });
  expect(progress.at(-1)?.doneBytes).toBeGreaterThanOrEqual(64 * MIB);

  expect(maxRssBytes).toBeLessThan(MOST_BYTES);
});

it('is that of any other write where a chunk is a decompression bomb', async () => {
  const raw = bytesOf('abcd');
  const writeSample = async (frameOf?: FrameOf) => {
    const { folder } = packSample(raw, folderWith(), { ...(frameOf && { frameOf }) });
    return await write({ reference: `oci:${folder}`, target: emptyDisk(raw.length) });
  };
  const right = await writeSample();
  const bomb = await writeSample((data, offset) =>
    offset === MIB ? zstdCompressSync(Buffer.concat([data, Buffer.alloc(BOMB_BYTES)])) : undefined,
  );
  expect(bomb.report).toBeUndefined();
  expect(bomb.stderr).toMatch(/reading chunk \d+ \(byte 1048576 of the image\)/);

  expect(bomb.maxRssBytes).toBeLessThan((right.maxRssBytes ?? 0) + 32 * MIB);
});
