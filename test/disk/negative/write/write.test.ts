/** What must not be written is not written; what is wrong on the disk is found. */
import { rm, truncate } from 'node:fs/promises';
import { expect, test } from 'vitest';
import {
  CASE_TIMEOUT_MS,
  type CaseContext,
  failureOf,
  newCase,
  rootOf,
  useAgent,
} from '../../harness/case.ts';
import { type StoredImage, storeImage } from '../../harness/images.ts';
import { MIB } from '../../harness/manifests.ts';

const agent = useAgent();

const DISK = {
  sizeMiB: 256,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
    { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 100 },
    { label: 'data', type: 'linux-generic', filesystem: 'ext4', sizeMiB: 64 },
  ],
} as const;

/** A partitioned disk and an image for it. */
async function partitioned(sizeMiB = 64): Promise<CaseContext & { image: StoredImage }> {
  const context = newCase(agent(), DISK);
  await context.partition();
  const image = await storeImage(agent(), { filesystem: 'ext4', sizeMiB, noiseMiB: 16 });
  return { ...context, image };
}

/** One byte of a file or disk becomes another. */
async function damage(path: string, offset: number): Promise<void> {
  await agent().shell(`printf x | dd of=${path} bs=1 seek=${offset} conv=notrunc status=none; sync ${path}`);
}

test('an image larger than the partition', { timeout: CASE_TIMEOUT_MS }, async () => {
  const { step, image, path, manifest } = await partitioned(101);
  const data = manifest.storage.partitions[2];
  if (!data) throw new Error('no third partition');
  const failure = await failureOf(agent().run('writeImage', { ...step, image: image.ref }));
  expect(failure).toMatchObject({ type: 'DiskTooSmall', nonRetryable: true });
  expect(failure.message).toContain(`${101 * MIB} bytes, the partition ${100 * MIB}`);
  await agent().run('release', step);
  await agent().shell(`cmp --bytes ${100 * MIB} --ignore-initial 0:${65 * MIB} /dev/zero ${path}`);
});

test('an image that is not in the store', { timeout: CASE_TIMEOUT_MS }, async () => {
  const { step, image } = await partitioned();
  await rm(image.packPath);
  const failure = await failureOf(agent().run('writeImage', { ...step, image: image.ref }));
  expect(failure).toMatchObject({ type: 'ImageMissing', nonRetryable: true });
  await agent().run('release', step);
});

test('another build of the image', { timeout: CASE_TIMEOUT_MS }, async () => {
  const { step, image } = await partitioned();
  const rootDigest = `sha256:${'1'.repeat(64)}` as const;
  const failure = await failureOf(
    agent().run('writeImage', { ...step, image: { ...image.ref, rootDigest } }),
  );
  expect(failure).toMatchObject({ type: 'ImageMissing', nonRetryable: true });
  expect(failure.message).toContain('sha256:1111');
  await agent().run('release', step);
});

test('an image whose bytes are damaged', { timeout: CASE_TIMEOUT_MS }, async () => {
  const { step, image } = await partitioned();
  await damage(image.packPath, 1024);
  const failure = await failureOf(agent().run('writeImage', { ...step, image: image.ref }));
  expect(failure).toMatchObject({ type: 'ImageCorrupt', nonRetryable: true });
  expect(failure.message).toMatch(/chunk \d+ .* expected/);
  await agent().run('release', step);
});

test('an image whose chunk table is damaged', { timeout: CASE_TIMEOUT_MS }, async () => {
  const { step, image } = await partitioned();
  await damage(image.tablePath, 100);
  const failure = await failureOf(agent().run('writeImage', { ...step, image: image.ref }));
  expect(failure).toMatchObject({ type: 'ImageCorrupt', nonRetryable: true });
  await agent().run('release', step);
});

test('a disk that returns another byte than was written', { timeout: CASE_TIMEOUT_MS }, async () => {
  const context = await partitioned();
  const step = { ...context.step, image: context.image.ref };
  await agent().run('writeImage', step);
  await agent().run('release', step);
  // In a run of zeros, near the end of the image: also what needed no writing is compared.
  await damage(context.path, rootOf(context).offsetBytes + 63 * MIB);
  const failure = await failureOf(agent().run('readBack', step));
  expect(failure).toMatchObject({ type: 'VerificationFailed', nonRetryable: true });
  expect(failure.message).toContain('expected zeros');
  // Written again, it is right again.
  await agent().run('writeImage', step);
  await agent().run('readBack', step);
  await agent().run('release', step);
});

test('a disk that was partitioned by somebody else meanwhile', { timeout: CASE_TIMEOUT_MS }, async () => {
  const context = await partitioned();
  await agent().run('release', context.step);
  const { installId: _, ...others } = context.step;
  const foreign = { ...others, installId: 'another/install' };
  for (const activity of ['writeImage', 'readBack', 'growFilesystem'] as const) {
    const failure = await failureOf(agent().run(activity, { ...foreign, image: context.image.ref }));
    expect(failure).toMatchObject({ type: 'DiskChanged', nonRetryable: true });
  }
  expect(await failureOf(agent().run('partition', { ...foreign, approved: [] }))).toMatchObject({
    type: 'DiskHasData',
  });
  await agent().run('release', context.step);
});

test('a root partition without the filesystem that is to be grown', {
  timeout: CASE_TIMEOUT_MS,
}, async () => {
  const { step, image } = await partitioned();
  const failure = await failureOf(agent().run('growFilesystem', { ...step, image: image.ref }));
  expect(failure).toMatchObject({ type: 'VerificationFailed', nonRetryable: true });
  expect(failure.message).toContain('no filesystem');
  await agent().run('release', step);
});

test('a disk image that has disappeared', { timeout: CASE_TIMEOUT_MS }, async () => {
  const { step, image, path } = await partitioned();
  await agent().run('release', step);
  await rm(path);
  // It is made anew, since it is meant to exist; but it is not the disk that was partitioned.
  const failure = await failureOf(agent().run('writeImage', { ...step, image: image.ref }));
  expect(failure).toMatchObject({ type: 'DiskChanged', nonRetryable: true });
  await agent().run('release', step);
});

test('a disk image that was cut while it was attached', { timeout: CASE_TIMEOUT_MS }, async () => {
  const { step, image, path } = await partitioned();
  await truncate(path, 10 * MIB);
  const failure = await failureOf(agent().run('writeImage', { ...step, image: image.ref }));
  expect(failure).toMatchObject({ type: 'DiskChanged', nonRetryable: true });
  await truncate(path, 256 * MIB);
  await agent().run('release', step);
});
