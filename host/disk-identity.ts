/**
 * Stable identities of disks, read from the kernel alone: what udev adds is there on some hosts and not in a
 * container, and the identity must be the same for everybody who asks.
 */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** What tells one disk from all others. */
export interface DiskIdentity {
  /** Name in /sys/block, e.g. `sda`; true only now. */
  readonly kernelName: string;
  readonly wwn?: string;
  readonly serial?: string;
}

/** Names in /sys/block that are no disks of their own; eMMC's boot and replay-protected areas are no place for a system. */
const NO_DISK = /^(loop|ram|zram|dm-|md|sr|fd|nbd|drbd|zd)\d|^mmcblk\d+(boot\d+|rpmb)$/;

/**
 * The disks of this host, in the order of their names.
 * @param sys where sysfs is mounted
 */
export async function listDisks(sys = '/sys'): Promise<DiskIdentity[]> {
  const names = (await readdir(join(sys, 'block'))).filter((name) => !NO_DISK.test(name)).sort();
  const disks: DiskIdentity[] = [];
  for (const kernelName of names) {
    const folder = join(sys, 'block', kernelName);
    // A card reader without a card has size 0; a path of an NVMe multipath device is hidden.
    if ((await attribute(folder, 'size')) === '0' || (await attribute(folder, 'hidden')) === '1') continue;
    const wwn = wwnOf((await attribute(folder, 'wwid')) ?? (await attribute(folder, 'device/wwid')));
    const serial = await serialOf(folder);
    disks.push({ kernelName, ...(wwn && { wwn }), ...(serial && { serial }) });
  }
  return disks;
}

/**
 * The world-wide name as udev writes it: `naa.5000c500a1b2c3d4` is `0x5000c500a1b2c3d4`, `eui.…` stays.
 * Identifiers of type t10 and NVMe's `nvme.…` are made of vendor and serial: not unique by promise.
 */
export function wwnOf(wwid: string | undefined): string | undefined {
  const naa = /^naa\.([0-9a-f]+)$/i.exec(wwid ?? '')?.[1];
  if (naa) return `0x${naa.toLowerCase()}`;
  const eui = /^(eui|uuid)\.[0-9a-f-]+$/i.exec(wwid ?? '')?.[0];
  // Some drives hand out an identifier of zeros.
  return eui && /[1-9a-f]/i.test(eui.slice(4)) ? eui.toLowerCase() : undefined;
}

/** The serial number: virtio's own, NVMe's and MMC's, or SCSI's page 80h, which libata fills in for SATA. */
async function serialOf(folder: string): Promise<string | undefined> {
  const plain = (await attribute(folder, 'serial')) ?? (await attribute(folder, 'device/serial'));
  if (plain) return plain;
  const page = await readOptional(join(folder, 'device/vpd_pg80'));
  // SPC-4, 7.8.15: four bytes of header, then the number in ASCII.
  const serial = page?.subarray(4).toString('latin1').replaceAll('\0', ' ').trim();
  return serial || undefined;
}

/**
 * The identity under which a disk is kept in facts and manifests: the world-wide name, else the serial, else where
 * it is plugged in. What two disks share identifies neither of them.
 * @param byPath where it is plugged in, as in /dev/disk/by-path; undefined where the bus has no stable order
 */
export function diskId(disk: DiskIdentity, all: readonly DiskIdentity[], byPath: string | undefined): string {
  const others = all.filter(({ kernelName }) => kernelName !== disk.kernelName);
  if (disk.wwn && !others.some(({ wwn }) => wwn === disk.wwn)) return `wwn:${disk.wwn}`;
  if (disk.serial && !others.some(({ serial }) => serial === disk.serial)) return `serial:${disk.serial}`;
  return `path:${byPath ?? disk.kernelName}`;
}

/** One attribute of sysfs without white space at its ends; undefined where it is missing, empty or unreadable. */
export async function attribute(folder: string, name: string): Promise<string | undefined> {
  return (await readOptional(join(folder, name)))?.toString('utf8').trim() || undefined;
}

/** Drivers answer a read of an attribute that they cannot tell with one of many errors. */
const UNTOLD = new Set([
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'EINVAL',
  'EIO',
  'ENODEV',
  'ENXIO',
  'EACCES',
  'EOPNOTSUPP',
]);

async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && UNTOLD.has(String(error.code))) return undefined;
    throw error;
  }
}

/** The device in sysfs that a disk's node stands for, e.g. `/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda`. */
export async function devicePath(kernelName: string, sys = '/sys'): Promise<string> {
  return realpath(join(sys, 'block', kernelName));
}
