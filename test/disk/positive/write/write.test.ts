/** The image gets onto its partition byte for byte, is read back, and grows to the partition. */
import { expect, test } from 'vitest';
import { CASE_TIMEOUT_MS, newCase, prepare, rootOf, useAgent } from '../../harness/case.ts';
import { NOISE_FILE, storeImage } from '../../harness/images.ts';
import { filesystemBytes, onPartition } from '../../harness/judge.ts';
import { MIB } from '../../harness/manifests.ts';

const agent = useAgent();

const disk = (filesystem: 'ext4' | 'xfs' | 'btrfs') => ({
  sizeMiB: 430,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
    { label: 'root', type: 'root', filesystem, sizeMiB: 360 },
  ] as const,
});

for (const filesystem of ['ext4', 'xfs', 'btrfs'] as const) {
  test(`${filesystem}, onto a disk of noise`, { timeout: CASE_TIMEOUT_MS }, async () => {
    const image = await storeImage(agent(), { filesystem, sizeMiB: 320, noiseMiB: 30 });
    const context = newCase(agent(), disk(filesystem));
    await prepare(context, 'dd if=/dev/urandom of="$DISK" bs=1M count=430 conv=notrunc status=none');
    await context.partition(true);
    const root = rootOf(context);
    // As on a disk that cannot discard: what it held before is still there below the zeros of the image.
    await agent().shell(
      `dd if=/dev/urandom of=${context.path} bs=1M seek=${root.offsetBytes / MIB} count=320 conv=notrunc status=none`,
    );
    const step = { ...context.step, image: image.ref };

    const first = await agent().run('writeImage', step);
    expect(first.writtenBytes + first.reusedBytes + first.skippedBytes).toBe(320 * MIB);
    await onPartition(agent(), context.path, root, `cmp --bytes ${320 * MIB} "$PART" ${image.path}`);
    expect(await agent().run('readBack', step)).toEqual({ bytes: 320 * MIB });

    // Written once, it is found by hash and not written again, but for the beginning, which is erased first and written last.
    const second = await agent().run('writeImage', step);
    expect(second.writtenBytes).toBeLessThanOrEqual(MIB);

    await agent().run('growFilesystem', step);
    await agent().run('growFilesystem', step);
    await agent().run('release', context.step);
    expect(await filesystemBytes(agent(), context.path, root)).toBe(360 * MIB);
    const digests = await onPartition(
      agent(),
      context.path,
      root,
      `A=$(mktemp -d); B=$(mktemp -d)
       mount -t ${filesystem} -o ro "$PART" "$A"; sha256sum < "$A/${NOISE_FILE}"; umount "$A"
       mount -t ${filesystem} -o ro,loop ${image.path} "$B"; sha256sum < "$B/${NOISE_FILE}"; umount "$B"
       rmdir "$A" "$B"`,
    );
    const [onDisk, inImage] = digests.split('\n');
    expect(onDisk).toBe(inImage);
  });
}
