/** Killed at several points, a write goes on where it was, and nothing boots before the end. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readImage } from '../../../image/format/read-image.ts';
import { openSource } from '../../../image/transfer/open.ts';
import type { ByteRange } from '../../../image/write/flusher.ts';
import { writeImage } from '../../../image/write/writer.ts';
import { loopDevice } from '../devices.ts';
import { folderWith } from '../servers/folder.ts';
import { startNginx } from '../servers/nginx.ts';
import { packSample } from './sample-image.ts';
import { bytesOf, sha256, sha256sum, startOf, writeInChild } from './writing.ts';

const MIB = 1 << 20;
/** What may be under way when it is killed: three batches of 1 MiB for each of two threads. `bench/resume` counts what is written again, too. */
const IN_FLIGHT_BYTES = 2 * 3 * MIB;

/** A disk with a partition table, and content up to its end. */
async function diskImage(): Promise<Buffer> {
  const file = join(folderWith(), 'raw');
  writeFileSync(
    file,
    Buffer.concat([Buffer.alloc(MIB), bytesOf('abcdefghijklmnopqrstuvwxyz00'.repeat(2)), Buffer.alloc(MIB)]),
  );
  await execa('sfdisk', ['--quiet', file], { input: 'label: gpt\nsize=20MiB, type=U\ntype=L\n' });
  return readFileSync(file);
}

const RAW = await diskImage();
const IMAGE = packSample(RAW, folderWith());
const PACK_BYTES = IMAGE.packs[0]?.sizeBytes ?? 0;
// Slow enough that a write can be killed at a chosen point; for each connection.
const { url, log } = await startNginx(IMAGE.folder, { location: 'limit_rate 6m;' });

/** Bytes of packs that the server was asked for so far; it notes a request when it has ended. */
async function askedBytes(): Promise<number> {
  await sleep(300);
  const lines = (await readFile(log, 'utf8')).trim().split('\n');
  const ranges = lines.flatMap((line) => [.../bytes=(\d+)-(\d+)/g[Symbol.matchAll](line)]);
  return ranges.reduce((sum, [, first, last]) => sum + Number(last) - Number(first) + 1, 0);
}

const partitions = async (path: string): Promise<string> =>
  (await execa('sfdisk', ['--json', path], { reject: false })).stdout;

it.each([10, 50, 90, 99])('killed at %i percent', async (percent) => {
  const file = join(folderWith(), 'disk');
  // Another disk was here, with a partition table of its own.
  writeFileSync(file, Buffer.concat([RAW.subarray(0, MIB), randomBytes(RAW.length - MIB)]));
  expect(await partitions(file)).toContain('"gpt"');
  const target = await loopDevice(file);
  const askedBefore = await askedBytes();
  const killed = await writeInChild(
    { reference: url, target },
    ({ doneBytes, totalBytes }) => doneBytes >= (totalBytes * percent) / 100,
  );
  expect(killed.report).toBeUndefined();
  expect(await partitions(file)).toBe('');
  const first = killed.progress.at(-1);
  if (!first) throw new Error('nothing was told before the kill');
  // What a heartbeat would have kept: the last that was told.
  const flushed: ByteRange[] = [...first.flushed];

  const { report } = await writeInChild({ reference: url, target, flushed, readBack: true });
  expect(await sha256sum(file)).toBe(sha256(RAW));
  expect(await partitions(file)).toContain('"gpt"');
  expect(report?.kept).toBeGreaterThan(0);
  const again = (await askedBytes()) - askedBefore - PACK_BYTES;
  expect(again).toBeLessThanOrEqual(0.02 * PACK_BYTES + IN_FLIGHT_BYTES);
});

it('killed in an image that begins with zeros, as btrfs does, nothing is left of the old start or there of the new', async () => {
  const superblock = 64 << 10;
  const raw = Buffer.concat([Buffer.alloc(superblock), bytesOf('abcdefghijklmnop')]);
  const { url: slow } = await startNginx(packSample(raw, folderWith()).folder, {
    location: 'limit_rate 6m;',
  });
  const target = join(folderWith(), 'disk');
  writeFileSync(target, randomBytes(raw.length));
  const killed = await writeInChild(
    { reference: slow, target },
    ({ doneBytes, totalBytes }) => doneBytes >= totalBytes / 2,
  );
  expect(killed.report).toBeUndefined();
  expect((await startOf(target, 2 * superblock)).equals(Buffer.alloc(2 * superblock))).toBe(true);

  const flushed: ByteRange[] = [...(killed.progress.at(-1)?.flushed ?? [])];
  const { report } = await writeInChild({ reference: slow, target, flushed, readBack: true });
  expect(report?.kept).toBeGreaterThan(0);
  expect(await sha256sum(target)).toBe(sha256(raw));
});

it('a claim that is not true is not believed', async () => {
  const target = join(folderWith(), 'disk');
  writeFileSync(target, randomBytes(RAW.length));
  const { report } = await writeInChild({
    reference: `oci:${IMAGE.folder}`,
    target,
    flushed: [[0, RAW.length]],
  });
  expect(report?.kept).toBe(0);
  expect(await sha256sum(target)).toBe(sha256(RAW));
});

it('what is there already is not fetched a second time, but for the first chunk', async () => {
  const target = join(folderWith(), 'disk');
  writeFileSync(target, RAW);
  const { report } = await writeInChild({
    reference: `oci:${IMAGE.folder}`,
    target,
    flushed: [[0, RAW.length]],
  });
  expect(report?.written).toBeLessThanOrEqual(64 << 10);
  expect(await sha256sum(target)).toBe(sha256(RAW));
});

it('whatever is on the target, it ends byte-equal', async () => {
  const raw = bytesOf('ab0c0d');
  const image = packSample(raw, folderWith());
  const states = fc.array(fc.constantFrom('same', 'noise', 'zero'), { minLength: 6, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(states, async (kinds) => {
      const target = join(folderWith(), 'disk');
      const pieces = kinds.map((kind, index) => {
        if (kind === 'same') return raw.subarray(index * MIB, (index + 1) * MIB);
        return kind === 'noise' ? randomBytes(MIB) : Buffer.alloc(MIB);
      });
      writeFileSync(target, Buffer.concat(pieces));
      const source = openSource([`oci:${image.folder}`]);
      const [part] = (await readImage(source)).parts;
      if (!part) throw new Error('the image has no part');
      const report = await writeImage({ part: part.chunks, source, target, flushed: [] });
      await source.close();
      expect(await sha256sum(target)).toBe(sha256(raw));
      expect(report.written + report.kept + report.zeros).toBe(raw.length);
    }),
    { numRuns: 15 },
  );
});
