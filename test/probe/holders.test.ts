/** Who uses a disk, from trees like the kernel's: what cannot be set up on every machine that runs the tests. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { diskHolders } from '../../activities/disk/holders.ts';

let root: string;
const put = async (path: string, content: string): Promise<void> => {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
};
const holders = () => diskHolders('sda', { sys: join(root, 'sys'), proc: join(root, 'proc') });

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'iguana-kernel-'));
  await put('proc/1/mountinfo', '');
  await put('proc/swaps', 'Filename\tType\tSize\tUsed\tPriority\n');
  await put('sys/class/block/sda/dev', '8:0\n');
  await put('sys/class/block/sda/sda1/partition', '1\n');
  await put('sys/class/block/sda1/dev', '8:1\n');
  await mkdir(join(root, 'sys/block'), { recursive: true });
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

test('an encrypted volume with LVM on it, mounted and swapped to', async () => {
  await mkdir(join(root, 'sys/class/block/sda1/holders/dm-0'), { recursive: true });
  await put('sys/class/block/dm-0/dev', '253:0\n');
  await put('sys/block/dm-0/dm/name', 'luks-home\n');
  for (const [number, name] of [
    [1, 'vg-root'],
    [2, 'vg-swap'],
  ] as const) {
    await mkdir(join(root, `sys/class/block/dm-0/holders/dm-${number}`), { recursive: true });
    await put(`sys/class/block/dm-${number}/dev`, `253:${number}\n`);
    await put(`sys/block/dm-${number}/dm/name`, `${name}\n`);
  }
  await put('proc/1/mountinfo', '29 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw\n');
  await put('proc/swaps', 'Filename\tType\tSize\tUsed\tPriority\n/dev/dm-2 partition 1 0 -2\n');
  expect(await holders()).toEqual(['dm:luks-home', 'dm:vg-root', 'dm:vg-swap', 'mount:/', 'swap']);
});

test('a member of a RAID', async () => {
  await mkdir(join(root, 'sys/class/block/sda1/holders/md127'), { recursive: true });
  await put('sys/class/block/md127/dev', '9:127\n');
  expect(await holders()).toEqual(['md:md127']);
});

test('the second device of a btrfs that is mounted by the name of the first', async () => {
  for (const device of ['sda1', 'sdb1'])
    await mkdir(join(root, `sys/fs/btrfs/uuid/devices/${device}`), { recursive: true });
  await put('proc/1/mountinfo', '40 1 0:40 /@home /home rw - btrfs /dev/sdb1 rw\n');
  expect(await holders()).toEqual(['mount:/home']);
});

test('a loop device on a partition', async () => {
  await put('sys/block/loop3/loop/backing_file', '/dev/sda1\n');
  await put('sys/class/block/loop3/dev', '7:3\n');
  expect(await holders()).toEqual(['loop:loop3']);
});

test('binds of folders only where nothing else is mounted', async () => {
  const whole = '40 1 8:1 / /srv rw - ext4 /dev/sda1 rw';
  const bind = '41 1 8:1 /www /var/www rw - ext4 /dev/sda1 rw';
  await put('proc/1/mountinfo', `${whole}\n${bind}\n`);
  expect(await holders()).toEqual(['mount:/srv']);
  await put('proc/1/mountinfo', `${bind}\n`);
  expect(await holders()).toEqual(['mount:/var/www']);
});
