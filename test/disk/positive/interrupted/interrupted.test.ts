/** Whatever is killed at whatever moment: the next attempt ends with the disk of an undisturbed install. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { CASE_TIMEOUT_MS, type CaseContext, newCase, prepare, rootOf, useAgent } from '../../harness/case.ts';
import { type StoredImage, storeImage } from '../../harness/images.ts';
import { contentChecksum, expectDisk, filesystemBytes, onPartition } from '../../harness/judge.ts';
import { MIB } from '../../harness/manifests.ts';

const agent = useAgent();

const DISK = {
  sizeMiB: 512,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
    { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 200 },
    { label: 'srv', type: 'srv', filesystem: 'ext4', sizeMiB: 64, filesystemLabel: 'srv' },
    { label: 'data', type: 'linux-generic', filesystem: 'ext4', sizeMiB: 64 },
  ],
} as const;

/** Parts of the time that the step takes undisturbed: looking, erasing, formatting, writing the table, labelling. */
const KILL_AT = [0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1];

const NOISE = 'yes noise | head -c 100M | dd of="$DISK" conv=notrunc status=none bs=1M iflag=fullblock';

/** How long a step takes on this machine now, in milliseconds. */
async function timed(step: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await step();
  return performance.now() - start;
}

/** Begins to partition, and kills the agent and its tools on the way. */
async function partitionKilled(context: CaseContext, approvedErase: boolean, delayMs: number): Promise<void> {
  const approved = approvedErase ? await context.contents() : [];
  const { result } = agent().start('partition', { ...context.step, approved });
  const ended = Promise.allSettled([result]);
  await sleep(delayMs);
  await agent().kill();
  await ended;
}

/** mkfs.ext4 draws the seed of its directory hashes; it is the only thing on the disk that is not derived. */
async function checksumButSeeds(context: CaseContext): Promise<string> {
  for (const { type, filesystem, offsetBytes } of context.manifest.storage.partitions) {
    if (type === 'root' || filesystem !== 'ext4') continue;
    const seed = 'set_super_value hash_seed 11111111-1111-1111-1111-111111111111';
    await agent().shell(
      `E2FSPROGS_FAKE_TIME=1 debugfs -w -R '${seed}' '${context.path}?offset=${offsetBytes}' 2>&-`,
    );
  }
  return contentChecksum(context);
}

for (const approvedErase of [false, true]) {
  const what = approvedErase ? 'of noise, erase approved' : 'that was empty, nothing approved';
  test(`partitioning a disk ${what}, killed again and again`, { timeout: CASE_TIMEOUT_MS }, async () => {
    const before = approvedErase ? NOISE : '';
    const context = newCase(agent(), DISK);
    await prepare(context, before);
    await agent().shell('true');
    const durationMs = await timed(() => context.partition(approvedErase));
    await agent().run('release', context.step);
    const undisturbed = await checksumButSeeds(context);
    await agent().shell(`rm ${context.path}`);

    await prepare(context, before);
    for (const part of KILL_AT) await partitionKilled(context, approvedErase, part * durationMs);
    await context.partition(approvedErase);
    await expectDisk(context);
    expect(await context.partition(false)).toEqual({ changed: false });
    await agent().run('release', context.step);
    expect(await checksumButSeeds(context)).toBe(undisturbed);
  });
}

/** The loop devices that stand for the disk. */
async function loopDevices({ path }: CaseContext): Promise<string[]> {
  const names = await agent().shell(`losetup --noheadings --output NAME --associated ${path}`);
  return names.split('\n').filter((name) => name !== '');
}

test('the loop device of a killed agent is found again, and released', {
  timeout: CASE_TIMEOUT_MS,
}, async () => {
  const context = newCase(agent(), DISK);
  await context.partition();
  const before = await loopDevices(context);
  expect(before).toHaveLength(1);
  await agent().kill();
  expect(await loopDevices(context)).toEqual(before);
  expect(await context.partition()).toEqual({ changed: false });
  expect(await loopDevices(context)).toEqual(before);
  await agent().kill();
  await agent().run('release', context.step);
  await agent().run('release', context.step);
  expect(await loopDevices(context)).toEqual([]);
});

const IMAGE = { filesystem: 'ext4', sizeMiB: 190, noiseMiB: 170 } as const;

/** Writes the image and is stopped by `stop` once at least so much was reported as flushed. */
async function writeDisturbed(
  context: CaseContext,
  { ref }: StoredImage,
  flushedBytes: number,
  stop: (cancel: () => void) => Promise<void>,
): Promise<number> {
  const writing = agent().start('writeImage', { ...context.step, image: ref });
  const ended = Promise.allSettled([writing.result]);
  const { doneBytes = 0 } = await writing.heartbeat(({ doneBytes = 0 }) => doneBytes >= flushedBytes);
  await stop(() => writing.cancel());
  await ended;
  return doneBytes;
}

test('a killed writer goes on where the disk shows that it was left', {
  timeout: CASE_TIMEOUT_MS,
}, async () => {
  const image = await storeImage(agent(), IMAGE);
  const context = newCase(agent(), DISK);
  await context.partition();
  const step = { ...context.step, image: image.ref };
  let reported = 0;
  for (const flushedBytes of [32 * MIB, 96 * MIB])
    reported = await writeDisturbed(context, image, flushedBytes, () => agent().kill());
  const last = await agent().run('writeImage', step);
  // What was reported as flushed is on the disk: it is found by its hash and not written again.
  expect(last.reusedBytes).toBeGreaterThanOrEqual(reported - last.skippedBytes);
  expect(last.writtenBytes).toBeLessThanOrEqual(IMAGE.sizeMiB * MIB - reported);
  expect(await agent().run('readBack', step)).toMatchObject({ bytes: IMAGE.sizeMiB * MIB });
  await agent().run('release', context.step);
  await onPartition(
    agent(),
    context.path,
    rootOf(context),
    `cmp --bytes ${IMAGE.sizeMiB * MIB} "$PART" ${image.path}`,
  );
});

test('a cancelled writer stops and leaves nothing behind', { timeout: CASE_TIMEOUT_MS }, async () => {
  const image = await storeImage(agent(), IMAGE);
  const context = newCase(agent(), DISK);
  await context.partition();
  await writeDisturbed(context, image, 32 * MIB, async (cancel) => cancel());
  await agent().run('release', context.step);
  expect(await loopDevices(context)).toEqual([]);
});

/** A disk with a written image that is smaller than its partition. */
async function writtenSmall(image: StoredImage) {
  const context = newCase(agent(), DISK);
  await context.partition();
  const step = { ...context.step, image: image.ref };
  await agent().run('writeImage', step);
  return { context, step };
}

test('growing, killed again and again', { timeout: CASE_TIMEOUT_MS }, async () => {
  const image = await storeImage(agent(), { filesystem: 'ext4', sizeMiB: 64, noiseMiB: 40 });
  const undisturbed = await writtenSmall(image);
  const durationMs = await timed(() => agent().run('growFilesystem', undisturbed.step));
  await agent().run('release', undisturbed.step);
  const { context, step } = await writtenSmall(image);
  for (const part of KILL_AT) {
    await agent().shell('true');
    const ended = Promise.allSettled([agent().start('growFilesystem', step).result]);
    await sleep(part * durationMs);
    await agent().kill();
    await ended;
  }
  await agent().run('growFilesystem', step);
  await agent().run('release', context.step);
  expect(await filesystemBytes(agent(), context.path, rootOf(context))).toBe(200 * MIB);
});
