/** Writing images onto real files and block devices; cmp and sha256sum judge. */
import { randomBytes } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readImage } from '../../../image/format/read-image.ts';
import { TargetTooSmall } from '../../../image/io-error.ts';
import { openSource } from '../../../image/transfer/open.ts';
import type { WriteRequest } from '../../../image/write/request.ts';
import { writeImage } from '../../../image/write/writer.ts';
import { loopDevice } from '../devices.ts';
import { folderWith } from '../servers/folder.ts';
import { startNginx } from '../servers/nginx.ts';
import { packSample, type SampleImage } from './sample-image.ts';
import { bytesOf, sha256, sha256sum, writeInChild } from './writing.ts';

const MIB = 1 << 20;
/** What a filesystem may need to note where the blocks of a file are. */
const METADATA_BYTES = 64 << 10;

/** Zeros of all lengths, at the end too. */
const IMAGE = packSample(
  Buffer.concat([bytesOf('ab0c00def0000ghijk0'), bytesOf('l').subarray(0, 12_288), Buffer.alloc(8192)]),
  folderWith(),
);

async function write(
  reference: string,
  target: string,
  more: Partial<WriteRequest> = {},
): Promise<Awaited<ReturnType<typeof writeImage>>> {
  const source = openSource([reference]);
  try {
    const [part] = (await readImage(source)).parts;
    if (!part) throw new Error('the image has no part');
    return await writeImage({ part: part.chunks, source, target, ...more });
  } finally {
    await source.close();
  }
}

const noise = (image: SampleImage, folder = folderWith()): string => {
  const target = join(folder, 'disk');
  writeFileSync(target, randomBytes(image.raw.length));
  return target;
};

async function allocatedBytes(file: string): Promise<number> {
  await execa('sync', [file]);
  return 512 * (await stat(file)).blocks;
}

async function expectEqual(target: string, image: SampleImage): Promise<void> {
  expect(await sha256sum(target)).toBe(sha256(image.raw));
}

describe('a target full of noise ends byte-equal', () => {
  it('as a file', async () => {
    const target = noise(IMAGE);
    const report = await write(`oci:${IMAGE.folder}`, target);
    await expectEqual(target, IMAGE);
    const { written, zeros, kept, copied, readBack } = report;
    expect({ sum: written + zeros, kept, copied, readBack }).toEqual({
      sum: IMAGE.raw.length,
      kept: 0,
      copied: 0,
      readBack: IMAGE.raw.length,
    });
  });

  it('as a block device, from a web server', async () => {
    const { url } = await startNginx(IMAGE.folder);
    const file = noise(IMAGE);
    const target = await loopDevice(file);
    const report = await write(url, target);
    await expectEqual(target, IMAGE);
    await expectEqual(file, IMAGE);
    expect(report.fetched).toBe(IMAGE.packs[0]?.sizeBytes);
  });

  it.each(['file', 'block device'])('as a %s that cannot discard', async (kind) => {
    // ramfs punches no holes, nor does a loop device over it, and neither has direct access.
    const folder = folderWith();
    await execa('mount', ['-t', 'ramfs', 'ramfs', folder]);
    onTestFinished(async () => {
      await execa('umount', ['--lazy', folder]);
    });
    const file = noise(IMAGE, folder);
    const target = kind === 'file' ? file : await loopDevice(file);
    await write(`oci:${IMAGE.folder}`, target);
    await expectEqual(target, IMAGE);
  });

  it('with an image of several packs, and more threads than work', async () => {
    const image = packSample(bytesOf('a0bc'), folderWith(), { packs: 3, chunkBytes: 512 << 10 });
    const target = noise(image);
    await write(`oci:${image.folder}`, target, { threads: 4 });
    await expectEqual(target, image);
  });

  it('with an image that begins with zeros, and one that has nothing else', async () => {
    for (const pattern of ['00ab', '000']) {
      const image = packSample(bytesOf(pattern), folderWith());
      const target = noise(image);
      await write(`oci:${image.folder}`, target);
      await expectEqual(target, image);
    }
  });

  it('at an offset, and nothing before or behind it is touched', async () => {
    const frame = randomBytes(MIB);
    const folder = folderWith();
    const target = join(folder, 'disk');
    writeFileSync(target, Buffer.concat([frame, randomBytes(IMAGE.raw.length), frame]));
    await write(`oci:${IMAGE.folder}`, target, { targetOffset: MIB });
    expect(await sha256sum(target)).toBe(sha256(Buffer.concat([frame, IMAGE.raw, frame])));
  });
});

it.each(['file', 'block device'])(
  'what is zero is given back by a %s that was full of noise',
  async (kind) => {
    const file = noise(IMAGE);
    const target = kind === 'file' ? file : await loopDevice(file);
    const before = await allocatedBytes(file);
    const { zeros } = await write(`oci:${IMAGE.folder}`, target);
    // All but the shortest run, at the end.
    expect(zeros).toBeGreaterThan(8 * MIB);
    expect(await allocatedBytes(file)).toBeLessThan(before - 8 * MIB + METADATA_BYTES);
    await expectEqual(target, IMAGE);
  },
);

it('leaves a sparse target sparse', async () => {
  const target = join(folderWith(), 'disk');
  writeFileSync(target, '');
  truncateSync(target, IMAGE.raw.length);
  await write(`oci:${IMAGE.folder}`, target);
  expect(await allocatedBytes(target)).toBeLessThan(13 * MIB);
});

it.each(['file', 'block device'])('a %s that is one byte too small is not touched', async (kind) => {
  const file = noise(IMAGE);
  // A device has whole sectors.
  const missing = kind === 'file' ? 1 : 512;
  truncateSync(file, IMAGE.raw.length - missing);
  const target = kind === 'file' ? file : await loopDevice(file);
  const before = await sha256sum(file);
  await expect(write(`oci:${IMAGE.folder}`, target)).rejects.toThrow(TargetTooSmall);
  expect(await sha256sum(file)).toBe(before);
});

it('tells how far it is, up to the end, and only what is flushed', async () => {
  const target = noise(IMAGE);
  const { progress } = await writeInChild({ reference: `oci:${IMAGE.folder}`, target, readBack: true });
  const last = progress.filter(({ phase }) => phase === 'writing').at(-1);
  expect(last?.doneBytes).toBe(last?.totalBytes);
  expect(last?.flushed.at(-1)?.[1]).toBe(IMAGE.raw.length);
  expect(progress.at(-1)).toMatchObject({ phase: 'reading back', doneBytes: last?.totalBytes });
});
