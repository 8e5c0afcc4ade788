/** Identities of disks, as kernels show them for real hardware. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { diskId, listDisks, wwnOf } from '../../host/disk-identity.ts';

describe('world-wide names', () => {
  test.each([
    ['SATA disk (Seagate)', 'naa.5000c500a1b2c3d4', '0x5000c500a1b2c3d4'],
    [
      'SAS volume of a RAID controller (Dell PERC)',
      'naa.6D0946606F1C2E002A1B3C4D5E6F7081',
      '0x6d0946606f1c2e002a1b3c4d5e6f7081',
    ],
    ['NVMe (Samsung)', 'eui.002538b471b40ab1', 'eui.002538b471b40ab1'],
    [
      'NVMe with a 128-bit identifier (Intel)',
      'eui.01000000010000005cd2e4f1a2b35151',
      'eui.01000000010000005cd2e4f1a2b35151',
    ],
    [
      'NVMe in QEMU: made of vendor and serial',
      'nvme.1b36-64656661756c74-51454d55204e564d65204374726c-00000001',
      undefined,
    ],
    [
      'SATA disk without a name',
      't10.ATA     QEMU HARDDISK                           QM00001             ',
      undefined,
    ],
    ['NVMe whose maker left zeros', 'eui.0000000000000000', undefined],
    ['no identifier', undefined, undefined],
  ])('%s', (_, wwid, expected) => {
    expect(wwnOf(wwid)).toBe(expected);
  });
});

describe('the identity that is kept', () => {
  const wwn = '0x5000c500a1b2c3d4';

  test('the world-wide name, before the serial, before the place', () => {
    const named = { kernelName: 'sda', wwn, serial: 'ZA1' };
    const numbered = { kernelName: 'sdb', serial: 'ZA2' };
    const plain = { kernelName: 'vda' };
    const all = [named, numbered, plain];
    expect(all.map((disk) => diskId(disk, all, 'pci-0000:00:02.0'))).toEqual([
      'wwn:0x5000c500a1b2c3d4',
      'serial:ZA2',
      'path:pci-0000:00:02.0',
    ]);
  });

  test('what two disks share identifies neither of them', () => {
    const one = { kernelName: 'sda', wwn, serial: '0123456789ABCDEF' };
    const two = { kernelName: 'sdb', wwn, serial: '0123456789ABCDEF' };
    expect(diskId(one, [one, two], 'usb-1')).toBe('path:usb-1');
    expect(diskId(two, [one, { ...two, serial: 'other' }], 'usb-2')).toBe('path:usb-2');
    expect(diskId({ ...two, serial: 'other' }, [one, { ...two, serial: 'other' }], 'usb-2')).toBe(
      'serial:other',
    );
  });
});

describe('listing disks', () => {
  let sys: string;
  const put = async (path: string, content: string | Buffer): Promise<void> => {
    const file = join(sys, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  };
  beforeEach(async () => {
    sys = await mkdtemp(join(tmpdir(), 'iguana-sys-'));
  });
  afterEach(async () => {
    await rm(sys, { recursive: true });
  });

  test('only disks, each with the identity of its bus', async () => {
    await put('block/sda/size', '7814037168\n');
    await put('block/sda/device/wwid', 'naa.5000c500a1b2c3d4\n');
    await put('block/sda/device/vpd_pg80', Buffer.from('\0\x80\0\x14            ZA1B2C3D', 'latin1'));
    await put('block/nvme0n1/size', '1000215216\n');
    await put('block/nvme0n1/wwid', 'eui.002538b471b40ab1\n');
    await put('block/nvme0n1/device/serial', 'S4EWNX0R123456      \n');
    await put('block/vda/size', '20971520\n');
    await put('block/vda/serial', 'iguana-1');
    await put('block/mmcblk0/size', '61071360\n');
    await put('block/mmcblk0/device/serial', '0x1a2b3c4d\n');
    for (const name of ['loop0', 'zram0', 'dm-0', 'md127', 'sr0', 'ram0', 'mmcblk0boot0', 'mmcblk0rpmb'])
      await put(`block/${name}/size`, '2048\n');
    await put('block/sdb/size', '0\n');
    await put('block/nvme0c0n1/size', '1000215216\n');
    await put('block/nvme0c0n1/hidden', '1\n');
    expect(await listDisks(sys)).toEqual([
      { kernelName: 'mmcblk0', serial: '0x1a2b3c4d' },
      { kernelName: 'nvme0n1', wwn: 'eui.002538b471b40ab1', serial: 'S4EWNX0R123456' },
      { kernelName: 'sda', wwn: '0x5000c500a1b2c3d4', serial: 'ZA1B2C3D' },
      { kernelName: 'vda', serial: 'iguana-1' },
    ]);
  });
});
