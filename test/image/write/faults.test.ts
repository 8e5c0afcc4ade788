/** What must not be written, and how a write goes on when it is mended. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa, execaSync } from 'execa';
import { describe, expect, it } from 'vitest';
import { readImage } from '../../../image/format/read-image.ts';
import { ImageIoError } from '../../../image/io-error.ts';
import { SourceError } from '../../../image/source/errors.ts';
import { openSource } from '../../../image/transfer/open.ts';
import { CorruptChunk } from '../../../image/write/errors.ts';
import type { ByteRange } from '../../../image/write/flusher.ts';
import { writeImage } from '../../../image/write/writer.ts';
import { loopDevice, smallFilesystem } from '../devices.ts';
import { folderWith } from '../servers/folder.ts';
import { startNginx } from '../servers/nginx.ts';
import { packSample, type SampleImage } from './sample-image.ts';
import { bytesOf, sha256, sha256sum, startOf } from './writing.ts';

const RAW = bytesOf('abcd00efgh');

interface Attempt {
  readonly image: SampleImage;
  readonly target: string;
  readonly references?: readonly string[];
}

/** @returns the failure, and what was flushed before it */
async function attempt(
  { image, target, references = [`oci:${image.folder}`] }: Attempt,
  flushed?: ByteRange[],
) {
  const source = openSource(references, { rounds: 2, backoffMs: 10 });
  const part = await partOf(image);
  let last: readonly ByteRange[] = [];
  try {
    const report = await writeImage({
      part,
      source,
      target,
      ...(flushed && { flushed }),
      onProgress: (progress) => {
        last = progress.flushed;
      },
    });
    return { report, flushed: last };
  } catch (error) {
    return { error, flushed: last };
  } finally {
    await source.close();
  }
}

/** Of an image whose packs may be damaged or out of reach. */
async function partOf({ folder }: SampleImage) {
  const source = openSource([`oci:${folder}`]);
  const [part] = (await readImage(source)).parts;
  await source.close();
  if (!part) throw new Error('the image has no part');
  return part.chunks;
}

function sample(): Attempt {
  const image = packSample(RAW, folderWith(), { packs: 2 });
  const target = join(folderWith(), 'disk');
  writeFileSync(target, randomBytes(RAW.length));
  return { image, target };
}

const packOf = ({ packs }: SampleImage, index: number) => {
  const pack = packs[index];
  if (!pack) throw new Error(`there is no pack ${index}`);
  return pack;
};

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

const DAMAGES: readonly (readonly [
  string,
  (image: SampleImage) => void,
  abstract new (...args: never) => Error,
])[] = [
  ['a flipped bit in a pack', (image) => flipByte(packOf(image, 1).path, 123_456), CorruptChunk],
  ['a flipped bit in its first byte', (image) => flipByte(packOf(image, 1).path, 0), CorruptChunk],
  ['a truncated pack', (image) => truncateSync(packOf(image, 1).path, 100_000), SourceError],
  [
    'another valid pack in its place',
    (image) => {
      const [first, second] = [packOf(image, 0), packOf(image, 1)];
      const other = readFileSync(first.path);
      const padded = Buffer.concat([other, Buffer.alloc(Math.max(0, second.sizeBytes - other.length))]);
      writeFileSync(second.path, padded.subarray(0, second.sizeBytes));
    },
    CorruptChunk,
  ],
];

describe.each(DAMAGES)('%s', (_, damage, kind) => {
  it('fails before a wrong byte is written; nothing boots; mended, it goes on', async () => {
    const { image, target } = sample();
    const pack = packOf(image, 1);
    const saved = `${pack.path}.saved`;
    copyFileSync(pack.path, saved);
    const before = readFileSync(target);
    damage(image);

    const { error, flushed } = await attempt({ image, target });
    expect(error).toBeInstanceOf(kind);
    expect(await startOf(target)).toEqual(Buffer.alloc(64 << 10));
    const after = readFileSync(target);
    for (let at = 0; at < RAW.length; at += 4096) {
      const block = after.subarray(at, at + 4096);
      const isOld = block.equals(before.subarray(at, at + 4096));
      const isNew = block.equals(RAW.subarray(at, at + 4096));
      expect(isOld || isNew || at < 64 << 10, `block at ${at}`).toBe(true);
    }

    copyFileSync(saved, pack.path);
    const { report } = await attempt({ image, target }, [...flushed]);
    // Nothing is flushed where the very first request fails.
    expect((report?.kept ?? 0) > 0).toBe(flushed.length > 0);
    expect(await sha256sum(target)).toBe(sha256(RAW));
  });
});

it('the error names chunk, source, expected and found', async () => {
  const { image, target } = sample();
  flipByte(packOf(image, 1).path, 0);
  const { error } = await attempt({ image, target });
  if (!(error instanceof CorruptChunk)) throw error;
  expect(error.message).toMatch(
    /^reading chunk \d+ \(byte \d+ of the image\) from oci:.*: expected sha256:[0-9a-f]{64}, found /,
  );
  expect(error).toMatchObject({
    source: `oci:${image.folder}`,
    chunk: expect.any(Number),
    offset: expect.any(Number),
    expected: expect.stringMatching(/^sha256:/),
  });
  expect(error.cause).toBeInstanceOf(Error);
});

it('a mirror that has a pack right is asked where another has it wrong', async () => {
  const { image, target } = sample();
  const other = packSample(RAW, folderWith(), { packs: 2 });
  flipByte(packOf(image, 1).path, 77_777);
  const [bad, good] = await Promise.all([startNginx(image.folder), startNginx(other.folder)]);
  const { report, error } = await attempt({ image: other, target, references: [bad.url, good.url] });
  expect(error).toBeUndefined();
  expect(report?.written).toBeGreaterThan(0);
  expect(await sha256sum(target)).toBe(sha256(RAW));
});

it.each([
  ['file', async (path: string) => path, /^writing .*disk at byte \d+/],
  ['block device', loopDevice, /^(writing|flushing) \/dev\/loop/],
])('a %s that is full in the middle fails with the place', async (_, open, message) => {
  const { image } = sample();
  const folder = join(folderWith(), 'small');
  await smallFilesystem(folder, 4);
  const file = join(folder, 'disk');
  writeFileSync(file, '');
  truncateSync(file, RAW.length);
  const target = await open(file);
  const { error } = await attempt({ image, target });
  expect(error).toBeInstanceOf(ImageIoError);
  // Some kernels have one word for all that goes wrong below a loop device.
  expect(error).toMatchObject({
    code: expect.stringMatching(/^(ENOSPC|EIO)$/),
    message: expect.stringMatching(message),
  });
  expect(await startOf(target)).toEqual(Buffer.alloc(64 << 10));
});

it('a target that vanishes in the middle fails with the place; when it is back, it is written', async () => {
  // Longer than what is under way at once.
  const raw = bytesOf('abcdefghijklmnopqrstuvwxyz');
  const image = packSample(raw, folderWith());
  const { url } = await startNginx(image.folder, { location: 'limit_rate 6m;' });
  const file = join(folderWith(), 'disk');
  writeFileSync(file, randomBytes(raw.length));
  const target = await loopDevice(file);
  const source = openSource([url]);
  let isGone = false;
  const writing = writeImage({
    part: await partOf(image),
    source,
    target,
    onProgress: () => {
      if (isGone) return;
      isGone = true;
      truncateSync(file, 0);
      execaSync('losetup', ['--set-capacity', target]);
    },
  });
  const error = await writing.catch((thrown: unknown) => thrown);
  await source.close();
  expect(error).toMatchObject({ message: expect.stringMatching(/^writing \/dev\/loop\d+ at byte \d+: /) });
  truncateSync(file, raw.length);
  await execa('losetup', ['--set-capacity', target]);
  expect(await attempt({ image, target }, [])).toMatchObject({ report: { readBack: raw.length } });
  expect(await sha256sum(target)).toBe(sha256(raw));
});

it('a source that goes away in the middle fails, and nothing boots', async () => {
  const { image, target } = sample();
  const { url } = await startNginx(image.folder, { location: 'return 503;' });
  const { error } = await attempt({ image, target, references: [url] });
  expect(error).toBeInstanceOf(SourceError);
  expect(await startOf(target)).toEqual(Buffer.alloc(64 << 10));
});

it('stops when it is told to, with the reason', async () => {
  const { image, target } = sample();
  const source = openSource([`oci:${image.folder}`]);
  const stop = new AbortController();
  const reason = new Error('enough');
  const writing = writeImage({
    part: await partOf(image),
    source,
    target: await loopDevice(target),
    signal: stop.signal,
    onProgress: () => stop.abort(reason),
  });
  await expect(writing).rejects.toBe(reason);
  await source.close();
  expect(await startOf(target)).toEqual(Buffer.alloc(64 << 10));
});
