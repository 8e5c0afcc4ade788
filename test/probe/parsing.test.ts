/** What tools and the kernel print, understood. */
import { describe, expect, test } from 'vitest';
import { parseSignatures } from '../../activities/disk/contents.ts';
import { isLocked } from '../../activities/disk/image-holders.ts';
import { deviceNumber } from '../../activities/disk/loop.ts';
import { parseMountInfo } from '../../activities/disk/mounts.ts';
import { parsePartitionTable } from '../../activities/disk/partition-table.ts';
import { describe as describeDisk, type LsblkDisk } from '../../activities/probe/device-facts.ts';

describe('mountinfo', () => {
  test('subvolumes, binds, optional fields and escaped characters', () => {
    const text = [
      '29 1 0:26 /@ / rw,relatime shared:1 - btrfs /dev/nvme0n1p2 rw,ssd,subvol=/@',
      '95 29 8:17 / /media/My\\040Disk\\134x rw,nosuid shared:50 master:2 - ext4 /dev/sdb1 rw',
      '101 29 8:17 /srv/data /data rw - ext4 /dev/sdb1 rw',
      '',
    ].join('\n');
    expect(parseMountInfo(text)).toEqual([
      { device: '0:26', root: '/@', mountPoint: '/', filesystem: 'btrfs', source: '/dev/nvme0n1p2' },
      { device: '8:17', root: '/', mountPoint: '/media/My Disk\\x', filesystem: 'ext4', source: '/dev/sdb1' },
      { device: '8:17', root: '/srv/data', mountPoint: '/data', filesystem: 'ext4', source: '/dev/sdb1' },
    ]);
  });
});

describe('blkid', () => {
  test('white space in labels is escaped', () => {
    const text = 'DEVNAME=/dev/sdb1\nLABEL=My\\ Disk\\$1\nUUID=5E5A-1C2B\nTYPE=exfat\nUSAGE=filesystem\n';
    expect(parseSignatures(text)).toMatchObject({ LABEL: 'My Disk$1', UUID: '5E5A-1C2B', TYPE: 'exfat' });
  });
});

describe('sfdisk', () => {
  test('a GPT with sectors of 4096 bytes, on a device whose name ends in a digit', () => {
    const partition = {
      node: '/dev/nvme0n1p12',
      start: 256,
      size: 16384,
      type: 'C12A',
      uuid: 'ABCD-EF',
      name: 'EFI',
    };
    const table = { label: 'gpt', id: 'X', device: '/dev/nvme0n1', unit: 'sectors', sectorsize: 4096 };
    expect(
      parsePartitionTable(JSON.stringify({ partitiontable: { ...table, partitions: [partition] } })),
    ).toEqual({
      label: 'gpt',
      partitions: [
        { number: 12, offsetBytes: 1048576, sizeBytes: 67108864, type: 'C12A', uuid: 'abcd-ef', name: 'EFI' },
      ],
    });
  });

  test('an empty dos table', () => {
    const table = { label: 'dos', id: '0x1', device: '/srv/a.img', unit: 'sectors', sectorsize: 512 };
    expect(parsePartitionTable(JSON.stringify({ partitiontable: table }))).toEqual({
      label: 'dos',
      partitions: [],
    });
  });
});

describe('lsblk', () => {
  const disk: LsblkDisk = {
    model: 'ST4000NM0023',
    vendor: 'SEAGATE ',
    size: 4000787030016,
    'log-sec': 512,
    'phy-sec': 4096,
    rota: true,
    rm: false,
    hotplug: false,
    ro: false,
    tran: null,
  };

  test.each([
    ['/sys/devices/pci0000:00/0000:00:1d.0/0000:01:00.0/nvme/nvme0/nvme0n1', 'nvme'],
    ['/sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda', 'sata'],
    ['/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb', 'usb'],
    [
      '/sys/devices/pci0000:80/0000:80:02.0/0000:82:00.0/host2/port-2:0/end_device-2:0/target2:0:0/2:0:0:0/block/sdc',
      'sas',
    ],
    ['/sys/devices/pci0000:00/0000:00:02.0/0000:02:00.0/host0/target0:2:0/0:2:0:0/block/sda', 'scsi'],
    ['/sys/devices/pci0000:00/0000:00:05.0/virtio2/host2/target2:0:0/2:0:0:1/block/sda', 'scsi'],
    ['/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda', 'virtio'],
    ['/sys/devices/platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0', 'mmc'],
    ['/sys/devices/vbd-768/block/xvda', 'unknown'],
  ])('the bus of %s', (device, transport) => {
    expect(describeDisk(disk, device).transport).toBe(transport);
  });

  test('makers, and what only looks like one', () => {
    expect(describeDisk(disk, '')).toMatchObject({ model: 'ST4000NM0023', vendor: 'SEAGATE' });
    expect(describeDisk({ ...disk, vendor: '0x1af4' }, '')).not.toHaveProperty('vendor');
    expect(describeDisk({ ...disk, vendor: 'ATA     ' }, '')).not.toHaveProperty('vendor');
    expect(describeDisk({ ...disk, model: 'Samsung_SSD_860' }, '')).toMatchObject({
      model: 'Samsung SSD 860',
    });
  });
});

describe('locks and device numbers', () => {
  test('an open-file-description lock on one file', () => {
    const locks =
      '1: OFDLCK ADVISORY  READ -1 fe:00:928223 100 101\n2: FLOCK  ADVISORY  WRITE 811 00:1a:928224 0 EOF\n';
    expect(isLocked(locks, '254:0', 928223)).toBe(true);
    expect(isLocked(locks, '254:0', 28223)).toBe(false);
    expect(isLocked(locks, '0:26', 928224)).toBe(true);
    expect(isLocked('', '254:0', 928223)).toBe(false);
  });

  test('major and minor as glibc packs them', () => {
    expect(deviceNumber(0xfe00)).toBe('254:0');
    expect(deviceNumber(0x103 * 256 + 5)).toBe('259:5');
    expect(deviceNumber(0x100000 + 0x801)).toBe('8:257');
  });
});
