import { expect, test } from 'vitest';
import { CASE_TIMEOUT_MS, failureOf, newCase, prepare, useAgent } from '../../harness/case.ts';
import { storeImage } from '../../harness/images.ts';
import { MIB } from '../../harness/manifests.ts';

const agent = useAgent();

const DISK = {
  sizeMiB: 256,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
    { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 128 },
  ],
} as const;
const IMAGE = { filesystem: 'ext4', sizeMiB: 120, noiseMiB: 100 } as const;

test('the filesystem that holds the disk image is full', { timeout: CASE_TIMEOUT_MS }, async () => {
  const image = await storeImage(agent(), IMAGE);
  const folder = `${agent().folder}/full`;
  await agent().shell(`mkdir ${folder}; mount -t tmpfs -o size=50M none ${folder}`);
  try {
    const context = newCase(agent(), { ...DISK, folder });
    await context.partition();
    const step = { ...context.step, image: image.ref };
    const failure = await failureOf(agent().run('writeImage', step));
    expect(failure).toMatchObject({ type: 'DiskWriteFailed', nonRetryable: false });
    expect(failure.message).toMatch(/no space|ENOSPC|EIO/);
    await agent().shell(`mount -o remount,size=300M ${folder}`);
    await agent().run('writeImage', step);
    expect(await agent().run('readBack', step)).toMatchObject({ bytes: IMAGE.sizeMiB * MIB });
    await agent().run('release', step);
  } finally {
    await agent().shell(`umount ${folder}`);
  }
});

test('partitioning where the filesystem that holds the disk image is full', {
  timeout: CASE_TIMEOUT_MS,
}, async () => {
  const folder = `${agent().folder}/tiny`;
  await agent().shell(`mkdir ${folder}; mount -t tmpfs -o size=256K none ${folder}`);
  try {
    const context = newCase(agent(), { ...DISK, folder });
    const failure = await failureOf(context.partition());
    expect(failure).toMatchObject({ type: 'DiskWriteFailed', nonRetryable: false });
    await agent().shell(`mount -o remount,size=300M ${folder}`);
    expect(await context.partition()).toEqual({ changed: true });
    await agent().run('release', context.step);
  } finally {
    await agent().shell(`umount ${folder}`);
  }
});

/**
 * A disk with bad blocks: the disk image lies on a filesystem on a loop device whose own file is cut. What lay behind the
 * cut cannot be read: the kernel answers EIO.
 */
test('the disk reports errors', { timeout: CASE_TIMEOUT_MS }, async () => {
  const image = await storeImage(agent(), IMAGE);
  const outer = `${agent().folder}/outer.img`;
  const folder = `${agent().folder}/bad`;
  await agent().shell(`
    truncate --size 700M ${outer}
    mkfs.ext4 -q -F -O ^has_journal -m 0 ${outer}
    mkdir ${folder}
    mount -o loop ${outer} ${folder}
    fallocate --length 200M ${folder}/filler`);
  try {
    const context = newCase(agent(), { ...DISK, folder });
    await prepare(context, 'fallocate --length 256M "$DISK"');
    await context.partition();
    const step = { ...context.step, image: image.ref };
    await agent().run('writeImage', step);
    await agent().shell(`sync; truncate --size 250M ${outer}; echo 3 > /proc/sys/vm/drop_caches`);
    const failure = await failureOf(agent().run('readBack', step));
    expect(failure).toMatchObject({ type: 'DiskWriteFailed', nonRetryable: false });
    expect(failure.message).toContain('EIO');
    await agent().shell(`truncate --size 700M ${outer}`);
  } finally {
    await agent().shell(
      `losetup --noheadings --output NAME,BACK-FILE | grep ${folder} | while read L _; do losetup --detach $L; done; umount ${folder}`,
    );
  }
});
