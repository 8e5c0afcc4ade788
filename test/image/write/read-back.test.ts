/** Comparing what a target holds with an image. */
import { randomBytes } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readImage } from '../../../image/format/read-image.ts';
import { ImageIoError, TargetTooSmall } from '../../../image/io-error.ts';
import { openSource } from '../../../image/transfer/open.ts';
import { CorruptChunk } from '../../../image/write/errors.ts';
import { compareTarget } from '../../../image/write/read-back.ts';
import { loopDevice } from '../devices.ts';
import { folderWith } from '../servers/folder.ts';
import { packSample } from './sample-image.ts';
import { bytesOf } from './writing.ts';

const MIB = 1 << 20;
const RAW = bytesOf('ab0c');
const IMAGE = packSample(RAW, folderWith());

async function compare(target: string, { folder } = IMAGE): Promise<number> {
  const source = openSource([`oci:${folder}`]);
  try {
    const [part] = (await readImage(source)).parts;
    if (!part) throw new Error('the image has no part');
    return await compareTarget({ part: part.chunks, source, target });
  } finally {
    await source.close();
  }
}

/** A file with what the image holds, but for some bytes. */
async function fileWith(change: (bytes: Buffer) => void = () => undefined): Promise<string> {
  const bytes = Buffer.from(RAW);
  change(bytes);
  const target = join(folderWith(), 'disk');
  await writeFile(target, bytes);
  return target;
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
};

describe('comparing', () => {
  it('accepts what the image holds', async () => {
    expect(await compare(await fileWith())).toBe(RAW.length);
  });

  it.each([0, MIB + 1, RAW.length - 1])('finds one wrong byte of data, at %i', async (at) => {
    const compared = compare(await fileWith(flip(at)));
    await expect(compared).rejects.toThrow(CorruptChunk);
    await expect(compared).rejects.toThrow(/reading chunk \d+ .* expected sha256:.*, found sha256:/);
  });

  it('finds one byte in a run of zeros', async () => {
    await expect(compare(await fileWith(flip(2 * MIB + 777)))).rejects.toThrow(
      /reading zeros .*expected zeros/,
    );
  });

  it('finds one byte in a long run of zeros, which threads share', async () => {
    const raw = bytesOf(`a${'0'.repeat(150)}b`);
    const image = packSample(raw, folderWith());
    const target = join(folderWith(), 'disk');
    await writeFile(target, raw);
    expect(await compare(target, image)).toBe(raw.length);
    flip(140 * MIB + 5)(raw);
    await writeFile(target, raw);
    await expect(compare(target, image)).rejects.toThrow(/reading zeros .*expected zeros/);
  });

  it('reads from the disk, not from the cache', async () => {
    const file = await fileWith();
    const device = await loopDevice(file);
    // Now the kernel has the device's pages, and does not see what happens below.
    expect((await readFile(device)).equals(RAW)).toBe(true);
    const below = await open(file, 'r+');
    await below.write(randomBytes(4096), 0, 4096, MIB + 4096);
    await below.close();
    await expect(compare(device)).rejects.toThrow(CorruptChunk);
  });

  it('finds a target that ends early, or is not there', async () => {
    const target = await fileWith();
    await writeFile(target, RAW.subarray(0, -1));
    await expect(compare(target)).rejects.toThrow(TargetTooSmall);
    const missing = compare('/dev/iguana-no-such-disk');
    await expect(missing).rejects.toThrow(ImageIoError);
    await expect(missing).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
