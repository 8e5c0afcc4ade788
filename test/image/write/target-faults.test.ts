/** Targets that are too small, get full, or vanish: what is said, what is left, and that the write goes on. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa, execaSync } from 'execa';
import { expect, it } from 'vitest';
import { ImageIoError, TargetTooSmall } from '../../../image/io-error.ts';
import { loopDevice, smallFilesystem } from '../devices.ts';
import { folderWith } from '../servers/folder.ts';
import { startNginx } from '../servers/nginx.ts';
import { attempt, LONG, longSample, noise } from './attempt.ts';
import { sha256, sha256sum, startOf, toldBy } from './writing.ts';

const START = Buffer.alloc(64 << 10);

it.each([
  ['file', 1],
  // A device has whole sectors.
  ['block device', 512],
])('a %s that is too small by %i is not touched; when it is larger, it is written', async (kind, missing) => {
  const { folder } = longSample();
  const file = noise(LONG.length - missing);
  const before = readFileSync(file);
  const open = async (): Promise<string> => (kind === 'file' ? file : await loopDevice(file));
  const target = await open();
  const { error } = await attempt({ references: [`oci:${folder}`], target });
  expect(error).toBeInstanceOf(TargetTooSmall);
  expect(toldBy(error)).toBe(
    `opening ${target}: it is too small: expected ${LONG.length} bytes or more, found ${LONG.length - missing}; name a larger one, or pack a smaller image`,
  );
  expect(readFileSync(file).equals(before)).toBe(true);
  truncateSync(file, LONG.length);
  expect((await attempt({ references: [`oci:${folder}`], target: await open() })).error).toBeUndefined();
  expect(await sha256sum(file)).toBe(sha256(LONG));
});

it.each([
  ['file', async (path: string) => path, /^writing .*disk at byte \d+/],
  ['block device', loopDevice, /^(writing|flushing) \/dev\/loop/],
])(
  'a %s that is full in the middle is told with the place; with room, the write goes on',
  async (_, open, says) => {
    const { folder: image } = longSample();
    const folder = join(folderWith(), 'small');
    await smallFilesystem(folder, 6);
    const file = join(folder, 'disk');
    writeFileSync(file, '');
    truncateSync(file, LONG.length);
    const references = [`oci:${image}`];
    const target = await open(file);
    const { error, flushed } = await attempt({ references, target });
    expect(error).toBeInstanceOf(ImageIoError);
    // Some kernels have one word for all that goes wrong below a loop device.
    expect(error).toMatchObject({ code: expect.stringMatching(/^(ENOSPC|EIO)$/) });
    expect(toldBy(error)).toMatch(says);
    expect(await startOf(target)).toEqual(START);
    await execa('mount', ['-o', 'remount,size=64M', folder]);
    const { report } = await attempt({ references, target, flushed });
    // Below a loop device even what was accepted may not have been flushed.
    if (flushed.length > 0) expect(report?.kept).toBeGreaterThan(0);
    expect(await sha256sum(target)).toBe(sha256(LONG));
  },
);

it('a target that vanishes in the middle is told with the place; when it is back, it is written', async () => {
  const { url } = await startNginx(longSample().folder, { location: 'limit_rate 4m;' });
  const file = noise(LONG.length);
  const target = await loopDevice(file);
  let isGone = false;
  const onProgress = (): void => {
    if (isGone) return;
    isGone = true;
    truncateSync(file, 0);
    execaSync('losetup', ['--set-capacity', target]);
  };
  const { error } = await attempt({ references: [url], target, onProgress });
  expect(error).toBeInstanceOf(ImageIoError);
  expect(toldBy(error)).toMatch(/^(writing|flushing) \/dev\/loop\d+/);
  truncateSync(file, LONG.length);
  await execa('losetup', ['--set-capacity', target]);
  expect(await attempt({ references: [url], target, flushed: [] })).toMatchObject({
    report: { readBack: LONG.length },
  });
  expect(await sha256sum(target)).toBe(sha256(LONG));
});
