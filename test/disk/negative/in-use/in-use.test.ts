/** A disk that somebody uses is refused, whatever was approved, and shown as used by the probe. */
import { execa } from 'execa';
import { expect, test } from 'vitest';
import {
  CASE_TIMEOUT_MS,
  type CaseContext,
  failureOf,
  newCase,
  prepare,
  useAgent,
} from '../../harness/case.ts';

const agent = useAgent();

const DISK = {
  sizeMiB: 256,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
    { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 100 },
  ],
} as const;

/** Of the first 4 KiB, where a table would be: behind them the kernel may swap at any time. */
async function headChecksum({ path }: CaseContext): Promise<string> {
  return agent().shell(`sync ${path}; head --bytes 4096 ${path} | cksum`);
}

/** What uses the disk, what ends that, and the holder that is named. */
const USES: Readonly<Record<string, readonly [begin: string, end: string, holder: RegExp]>> = {
  'a filesystem mounted where this agent cannot see it': [
    `mkfs.ext4 -q -F "$DISK"
     LOOP=$(losetup --find --show "$DISK")
     unshare --mount sh -c "mount -o ro,noload $LOOP /mnt; exec sleep 1000" &
     echo $! > "$DISK.pid"
     until grep -q " /mnt " /proc/$(cat "$DISK.pid")/mountinfo; do sleep 0.1; done`,
    'kill $(cat "$DISK.pid"); while kill -0 $(cat "$DISK.pid") 2>&-; do sleep 0.1; done; rm "$DISK.pid"',
    /^claimed$/,
  ],
  'a swap area': [
    'mkswap -q "$DISK"; LOOP=$(losetup --find --show "$DISK"); swapon "$LOOP"',
    'swapoff $(losetup --noheadings --output NAME --associated "$DISK")',
    /^swap$/,
  ],
};

for (const [name, [begin, end, holder]] of Object.entries(USES)) {
  test(name, { timeout: CASE_TIMEOUT_MS }, async () => {
    const context = newCase(agent(), DISK);
    await prepare(context, `(${begin}) > /dev/null 2>&1 < /dev/null`);
    try {
      const before = await headChecksum(context);
      const { target } = context.step;
      const facts = await agent().run('probe', { machineId: 'case', installId: 'install/1', target });
      expect(facts.disks[0]?.holders).toEqual([expect.stringMatching(holder)]);
      expect(await failureOf(context.partition(true))).toMatchObject({
        type: 'DiskInUse',
        nonRetryable: true,
      });
      expect(await headChecksum(context)).toBe(before);
    } finally {
      await agent().shell(`DISK=${context.path}; ${end}`);
      await agent().run('release', context.step);
    }
  });
}

test('a filesystem mounted on the host', { timeout: CASE_TIMEOUT_MS }, async () => {
  const context = newCase(agent(), DISK);
  await prepare(context, 'mkfs.ext4 -q -F "$DISK"; losetup --find "$DISK"; mkdir "$DISK.mnt"');
  const loop = await agent().shell(`losetup --noheadings --output NAME --associated ${context.path}`);
  const mountPoint = `${context.path}.mnt`;
  await execa('mount', ['-o', 'ro,noload', loop, mountPoint]);
  try {
    const { target } = context.step;
    const facts = await agent().run('probe', { machineId: 'case', installId: 'install/1', target });
    expect(facts.disks[0]?.holders).toEqual([`mount:${mountPoint}`]);
    expect(await failureOf(context.partition(true))).toMatchObject({ type: 'DiskInUse', nonRetryable: true });
  } finally {
    await execa('umount', [mountPoint]);
    await agent().run('release', context.step);
  }
});

test('a disk image that a virtual machine runs from', { timeout: CASE_TIMEOUT_MS }, async () => {
  const context = newCase(agent(), DISK);
  // An open-file-description lock, as QEMU takes it on the images of its disks.
  await prepare(
    context,
    `flock --fcntl --no-fork "$DISK" sleep 1000 > /dev/null 2>&1 & echo $! > "$DISK.pid"
     until grep -q ":$(stat --format %i "$DISK") " /proc/locks; do sleep 0.1; done`,
  );
  try {
    const { target } = context.step;
    const facts = await agent().run('probe', { machineId: 'case', installId: 'install/1', target });
    expect(facts.disks[0]?.holders).toEqual(['locked']);
    expect(await failureOf(context.partition(true))).toMatchObject({ type: 'DiskInUse', nonRetryable: true });
  } finally {
    await agent().shell(`kill $(cat ${context.path}.pid)`);
    await agent().run('release', context.step);
  }
});
