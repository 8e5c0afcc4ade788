/** Facts of the disks of this host. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { devicePath } from '../../host/disk-identity.ts';
import { errorCode } from '../../image/io-error.ts';
import type { DiskFacts } from '../../manifest/schema/facts.ts';
import { runTool } from '../disk/command.ts';
import { diskContents } from '../disk/contents.ts';
import type { IdentifiedDisk } from '../disk/disk.ts';
import type { NotedDisk } from '../disk/head-note.ts';
import { diskHolders } from '../disk/holders.ts';
import { parseMountInfo } from '../disk/mounts.ts';
import { isOwnDisk } from '../partition/own-disk.ts';

/** Label of the filesystem on Iguana's own boot media. */
const MEDIUM_LABEL = 'IGUANA';
/** Where the boot image mounts the medium it was started from. */
const MEDIUM_MOUNT_POINT = '/run/iguana/medium';

/** What `lsblk --json` prints of one disk, as far as it is used here. */
export interface LsblkDisk {
  readonly model: string | null;
  readonly vendor: string | null;
  readonly size: number;
  readonly 'log-sec': number;
  readonly 'phy-sec': number;
  readonly rota: boolean;
  readonly rm: boolean;
  readonly hotplug: boolean;
  readonly ro: boolean;
  readonly tran: string | null;
}

/** All facts of one disk. */
export async function deviceFacts(disk: IdentifiedDisk, installId: string): Promise<DiskFacts> {
  const node = join('/dev', disk.kernelName);
  const columns = 'MODEL,VENDOR,SIZE,LOG-SEC,PHY-SEC,ROTA,RM,HOTPLUG,RO,TRAN';
  const { stdout } = await runTool('lsblk', ['--json', '--bytes', '--nodeps', '--output', columns, node], {
    doing: `reading the properties of ${disk.id}`,
  });
  const [properties] = (JSON.parse(stdout) as { blockdevices: [LsblkDisk] }).blockdevices;
  const contents = await contentsOf({ id: disk.id, path: node }, properties.size, installId);
  const holders = await diskHolders(disk.kernelName);
  const labelled = contents.some(({ label }) => label === MEDIUM_LABEL);
  const installMedium = labelled || (await holdsMedium(holders));
  return {
    id: disk.id,
    ...(disk.wwn && { wwn: disk.wwn }),
    ...(disk.serial && { serial: disk.serial }),
    ...(disk.byPath && { byPath: disk.byPath }),
    ...describe(properties, await devicePath(disk.kernelName)),
    installMedium,
    contents,
    holders,
  };
}

/** One disk that is broken, or that nobody may read, does not keep the machine from being installed on another. */
async function contentsOf(
  disk: NotedDisk,
  sizeBytes: number,
  installId: string,
): Promise<DiskFacts['contents']> {
  try {
    const contents = await diskContents(disk.path, sizeBytes);
    if (contents.length === 0) return [];
    return (await isOwnDisk(disk, { installId, diskId: disk.id })) ? [] : contents;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return [{ partition: 0, type: 'unreadable', sizeBytes }];
  }
}

/** What lsblk and the disk's place in sysfs tell. Pure. */
export function describe(disk: LsblkDisk, device: string) {
  const model = plain(disk.model);
  const vendor = plain(disk.vendor);
  return {
    ...(model && { model }),
    ...(vendor && { vendor }),
    sizeBytes: disk.size,
    logicalSectorBytes: disk['log-sec'],
    physicalSectorBytes: disk['phy-sec'],
    transport: transportOf(disk.tran, device),
    rotational: disk.rota,
    removable: disk.rm,
    readOnly: disk.ro,
  };
}

/** Virtio's vendor is a PCI number; ATA's a constant of the SCSI translation. Neither names a maker. */
function plain(text: string | null): string | undefined {
  const trimmed = text?.replaceAll('_', ' ').trim();
  return trimmed && !/^(0x[0-9a-f]+|ATA)$/i.test(trimmed) ? trimmed : undefined;
}

/** lsblk's TRAN needs udev's database for some buses; the place in sysfs shows all of them. */
function transportOf(tran: string | null, device: string): DiskFacts['transport'] {
  if (/\/usb\d+\//.test(device)) return 'usb';
  if (/\/nvme/.test(device)) return 'nvme';
  if (/\/mmc_host\//.test(device)) return 'mmc';
  if (/\/ata\d+\//.test(device)) return 'sata';
  if (/\/end_device-/.test(device)) return 'sas';
  if (/\/virtio\d+\/block\//.test(device)) return 'virtio';
  if (/\/target\d+:/.test(device)) return tran === 'sas' || tran === 'sata' ? tran : 'scsi';
  return 'unknown';
}

async function holdsMedium(holders: readonly string[]): Promise<boolean> {
  if (holders.includes(`mount:${MEDIUM_MOUNT_POINT}`)) return true;
  // The medium may be a filesystem inside of a filesystem: an image that is mounted through a loop device.
  const mounts = parseMountInfo(await readFile('/proc/1/mountinfo', 'utf8'));
  const medium = mounts.find(({ mountPoint }) => mountPoint === MEDIUM_MOUNT_POINT);
  return medium !== undefined && holders.includes(`loop:${medium.source.replace('/dev/', '')}`);
}
