/** The next install of a disk: what it holds of the last image is found by hash, be it moved, and only the rest is written. */
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { ImageStore } from '../../../../store/store.ts';
import type { Agent } from '../../harness/agent.ts';
import { CASE_TIMEOUT_MS, newCase, prepare, rootOf, useAgent } from '../../harness/case.ts';
import { type StoredImage, storeImage, storeOf, storeRaw } from '../../harness/images.ts';
import { onPartition } from '../../harness/judge.ts';
import { MIB } from '../../harness/manifests.ts';

const agent = useAgent();

const DISK = {
  sizeMiB: 430,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
    { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 360 },
  ],
} as const;

/** The next release: the same bytes, but for some that changed, and some that moved. */
async function nextImage(container: Agent, { path }: StoredImage): Promise<StoredImage> {
  const next = `${path}.next`;
  await copyFile(path, next);
  await container.shell(`
    dd if=/dev/urandom of=${next} bs=64K seek=3000 count=16 conv=notrunc status=none
    dd if=${path} of=${next} bs=1M skip=8 seek=300 count=4 conv=notrunc status=none`);
  return await storeRaw(container, { path: next, filesystem: 'ext4' });
}

test('by another install, after the system was grown and used', { timeout: CASE_TIMEOUT_MS }, async () => {
  const first = await storeImage(agent(), { filesystem: 'ext4', sizeMiB: 320, noiseMiB: 60 });
  const next = await nextImage(agent(), first);
  const context = newCase(agent(), DISK);
  await prepare(context);
  await context.partition();
  const before = { ...context.step, image: first.ref };
  await agent().run('writeImage', before);
  await agent().run('growFilesystem', before);
  await agent().run('release', context.step);
  const root = rootOf(context);
  await agent().shell(`
    A=$(mktemp -d)
    mount -o loop,offset=${root.offsetBytes},sizelimit=${root.sizeBytes} ${context.path} "$A"
    head -c 30M /dev/urandom > "$A/log"
    umount "$A"`);

  const again = context.with({ installId: 'case/again' });
  await again.partition(true);
  const step = { ...again.step, image: next.ref };
  const { writtenBytes, reusedBytes, skippedBytes } = await agent().run('writeImage', step);
  expect(reusedBytes).toBeGreaterThan(50 * MIB);
  expect(writtenBytes).toBeLessThan(12 * MIB);
  expect(writtenBytes + reusedBytes + skippedBytes).toBe(320 * MIB);
  await onPartition(agent(), context.path, root, `cmp --bytes ${320 * MIB} "$PART" ${next.path}`);
  // Behind the image nothing of the last system is left.
  await onPartition(
    agent(),
    context.path,
    root,
    `tail --bytes +$((${320 * MIB} + 1)) "$PART" | cmp --bytes ${40 * MIB} - /dev/zero`,
  );
  expect(await agent().run('readBack', step)).toEqual({ bytes: 320 * MIB });
  await agent().run('growFilesystem', step);
  await agent().run('release', again.step);
});

test('killed in the middle, it goes on', { timeout: CASE_TIMEOUT_MS }, async () => {
  const first = await storeImage(agent(), { filesystem: 'ext4', sizeMiB: 320, noiseMiB: 60 });
  const next = await nextImage(agent(), first);
  const context = newCase(agent(), DISK);
  await prepare(context);
  await context.partition();
  await agent().run('writeImage', { ...context.step, image: first.ref });
  const again = context.with({ installId: 'case/again' });
  await again.partition(true);
  const step = { ...again.step, image: next.ref };
  const running = agent().start('writeImage', step);
  const ended = running.result.catch(() => undefined);
  await running.heartbeat(({ doneBytes = 0 }) => doneBytes > 0);
  await agent().kill();
  await ended;
  await agent().run('writeImage', step);
  await onPartition(agent(), context.path, rootOf(context), `cmp --bytes ${320 * MIB} "$PART" ${next.path}`);
  await agent().run('release', again.step);
});

test.each([
  [
    'that the store has forgotten',
    async (store: ImageStore, image: StoredImage) => rm(store.blobPath(image.ref.rootDigest)),
  ],
  [
    'whose manifest is damaged',
    async (store: ImageStore, image: StoredImage) => writeFile(store.blobPath(image.ref.rootDigest), '{}'),
  ],
])(
  'of an image %s nothing is reused, and the disk is discarded',
  { timeout: CASE_TIMEOUT_MS },
  async (_, lose) => {
    const first = await storeImage(agent(), { filesystem: 'ext4', sizeMiB: 320, noiseMiB: 10 });
    const next = await nextImage(agent(), first);
    const context = newCase(agent(), DISK);
    await prepare(context);
    await context.partition();
    await agent().run('writeImage', { ...context.step, image: first.ref });
    await lose(storeOf(agent()), first);
    const again = context.with({ installId: 'case/again' });
    await again.partition(true);
    const root = rootOf(context);
    await onPartition(agent(), context.path, root, `cmp --bytes ${320 * MIB} "$PART" /dev/zero`);
    const { reusedBytes } = await agent().run('writeImage', { ...again.step, image: next.ref });
    expect(reusedBytes).toBe(0);
    await onPartition(agent(), context.path, root, `cmp --bytes ${320 * MIB} "$PART" ${next.path}`);
    await agent().run('release', again.step);
  },
);
