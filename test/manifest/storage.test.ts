import { describe, expect, test } from 'vitest';
import { disk, facts, GIB, planned, refused } from './samples.ts';

const partitions = (...entries: string[]): string => `storage: {partitions: [${entries.join(', ')}]}`;

describe('impossible storage is found at planning', () => {
  test.each([
    [
      'a sum larger than the disk',
      partitions('{label: root, size: 200G}'),
      'the partitions need 205314 MiB with the partition table, disk wwn:0x5000c500a1b2c3d4 has 102400 MiB',
    ],
    [
      'two roots',
      partitions('{label: r2, type: root, size: 1G, mountPoint: /r2}'),
      'storage.partitions[2].type: there is a partition of type root already',
    ],
    ['no root', partitions('{label: root, remove: true}'), 'storage.partitions: there is no root partition'],
    [
      'no ESP',
      partitions('{label: esp, remove: true}'),
      'storage.partitions: there is no EFI system partition',
    ],
    [
      'two ESPs',
      partitions('{label: e2, type: esp, size: 1G, mountPoint: /e2}'),
      'storage.partitions[2].type: there is a partition of type esp already',
    ],
    [
      'an ESP that is not vfat',
      partitions('{label: esp, filesystem: ext4}'),
      'storage.partitions[0].filesystem: firmware and boot loader read nothing else here',
    ],
    [
      'an ESP that is too small',
      partitions('{label: esp, size: 32M}'),
      'storage.partitions[0].size: too small for vfat',
    ],
    [
      'duplicate mount points',
      partitions(
        '{label: a, type: home, size: 1G}',
        '{label: b, type: linux-generic, size: 1G, mountPoint: /home}',
      ),
      'storage.partitions[3].mountPoint: another partition is mounted at /home already',
    ],
    [
      'duplicate filesystem labels',
      partitions(
        '{label: a, type: srv, size: 1G, filesystemLabel: X}',
        '{label: b, type: home, size: 1G, filesystemLabel: X}',
      ),
      'storage.partitions[3].filesystemLabel: another partition has this filesystem label already',
    ],
    [
      'a root on vfat',
      partitions('{label: root, filesystem: vfat}'),
      'storage.partitions[1].filesystem: the system cannot run from it',
    ],
    [
      'a root on swap',
      partitions('{label: root, filesystem: swap}'),
      'storage.partitions[1].filesystem: the system cannot run from it',
    ],
    [
      'a root mounted elsewhere',
      partitions('{label: root, mountPoint: /other}'),
      'storage.partitions[1].mountPoint: the root partition is mounted at /',
    ],
    [
      'another partition at /',
      partitions('{label: a, type: linux-generic, size: 1G, mountPoint: /}'),
      'storage.partitions[2].mountPoint: only the partition of type root is mounted at /',
    ],
    [
      'a mount point of swap',
      partitions('{label: s, type: swap, size: 1G, mountPoint: /s}'),
      'storage.partitions[2].mountPoint: swap is not mounted',
    ],
    [
      'a swap partition with a filesystem',
      partitions('{label: s, type: swap, size: 1G, filesystem: ext4}'),
      'storage.partitions[2].filesystem: type swap and filesystem swap belong together',
    ],
    [
      'an xfs that is too small',
      partitions('{label: a, type: home, size: 299M, filesystem: xfs}'),
      'storage.partitions[2].size: too small for xfs',
    ],
    [
      'a btrfs that is too small',
      partitions('{label: a, type: home, size: 100M, filesystem: btrfs}'),
      'storage.partitions[2].size: too small for btrfs',
    ],
    [
      'a minimum that is too small',
      partitions('{label: a, type: home, size: {min: 1M}, filesystem: xfs}'),
      'storage.partitions[2].size: too small for xfs',
    ],
    [
      'a mount point within the ESP',
      partitions('{label: a, type: linux-generic, size: 1G, mountPoint: /efi/a}'),
      'storage.partitions[2].mountPoint: it lies within /efi, which is a vfat filesystem',
    ],
    [
      'a mount point that the kernel owns',
      partitions('{label: a, type: linux-generic, size: 1G, mountPoint: /proc/a}'),
      'storage.partitions[2].mountPoint: nothing can be mounted at or below /proc',
    ],
    [
      'a mount point that mounting needs',
      partitions('{label: a, type: linux-generic, size: 1G, mountPoint: /etc}'),
      'storage.partitions[2].mountPoint: nothing can be mounted at or below /etc',
    ],
    [
      'a /home without owners',
      partitions('{label: a, type: home, size: 1G, filesystem: vfat}'),
      'storage.partitions[2].filesystem: vfat has no owners and permissions',
    ],
  ])('%s', (_, body, expected) => {
    const { kinds, lines, diagnostics } = refused([body]);
    expect(kinds).toEqual(['StorageImpossible']);
    expect(lines.join('\n')).toContain(expected);
    expect(diagnostics[0]).toMatchObject({ file: expect.stringMatching(/^(layer1\.yaml|defaults)$/) });
  });

  test('all at once', () => {
    const { lines } = refused([
      partitions(
        '{label: esp, filesystem: ext4}',
        '{label: root, filesystem: vfat, size: 900G}',
        '{label: s, type: swap, size: 1G, mountPoint: /s}',
      ),
    ]);
    expect(lines).toHaveLength(4);
  });
});

test('sectors of 4096 bytes make the smallest FAT32 larger', () => {
  const large = { facts: facts({ disks: [disk({ logicalSectorBytes: 4096 })] }) };
  expect(refused([partitions('{label: esp, size: 200M}')], large).lines).toEqual([
    "storage.partitions[0].size: too small for FAT32 with the disk's sectors of 4096 bytes",
  ]);
  expect(planned([partitions('{label: esp, size: 260M}')], large).ok).toBe(true);
  expect(planned([partitions('{label: esp, size: 64M}')]).ok).toBe(true);
});

test('the exact sum fits, one byte of disk less does not', () => {
  const body = partitions('{label: root, size: 9702M}');
  const exactly = (sizeBytes: number) => ({ facts: facts({ disks: [disk({ sizeBytes })] }) });
  expect(planned([body], exactly(10_216 * 2 ** 20)).manifest.storage.partitions.at(-1)?.sizeBytes).toBe(
    9702 * 2 ** 20,
  );
  expect(refused([body], exactly(10_216 * 2 ** 20 - 1)).kind).toBe('StorageImpossible');
});

test('what is possible: partitions within partitions, swap, a separate /var, the ESP below /boot', () => {
  const { manifest } = planned([
    partitions(
      '{label: esp, mountPoint: /boot/efi}',
      '{label: boot, type: xbootldr, size: 1G}',
      '{label: swap, type: swap, size: 2G}',
      '{label: var, type: var, size: 10G, filesystem: btrfs}',
      '{label: log, type: linux-generic, size: {min: 5G}, mountPoint: /var/log}',
    ),
  ]);
  const { partitions: made } = manifest.storage;
  expect(made.map(({ label, filesystem, mountPoint }) => [label, filesystem, mountPoint])).toEqual([
    ['esp', 'vfat', '/boot/efi'],
    ['root', 'ext4', '/'],
    ['boot', 'vfat', '/boot'],
    ['swap', 'swap', undefined],
    ['var', 'btrfs', '/var'],
    ['log', 'ext4', '/var/log'],
  ]);
  const last = made.at(-1);
  expect((last?.offsetBytes ?? 0) + (last?.sizeBytes ?? 0)).toBe(100 * GIB - 2 ** 20);
});
