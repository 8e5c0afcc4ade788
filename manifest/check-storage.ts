/** Storage that cannot be, found before anything is touched. */
import { filesystemOf, layOut, MIB, MINIMUM_BYTES, minimumOf } from './layout.ts';
import { type Complain, repeated } from './plan-context.ts';
import type { DiskFacts } from './schema/facts.ts';
import type { CompleteProfile } from './schema/profile.ts';

type Partition = CompleteProfile['storage']['partitions'][number];

/** Filesystems that the system can run from; those that the image builder writes. */
const ROOT_FILESYSTEMS: readonly string[] = ['ext4', 'xfs', 'btrfs'];

/** Where the Discoverable Partitions Specification mounts a partition of each type. */
const MOUNT_POINTS: Partial<Record<Partition['type'], string>> = {
  root: '/',
  esp: '/efi',
  xbootldr: '/boot',
  usr: '/usr',
  home: '/home',
  srv: '/srv',
  var: '/var',
  tmp: '/var/tmp',
};

/** Mounted by the kernel or systemd, or needed to mount everything else. */
const RESERVED = ['/dev', '/etc', '/proc', '/run', '/sys', '/bin', '/sbin', '/lib', '/lib64'];

/** @returns where the partition is mounted: as it says, else as its type has it; undefined for nowhere */
export function mountPointOf({
  mountPoint,
  type,
}: Pick<Partition, 'mountPoint' | 'type'>): string | undefined {
  return mountPoint ?? MOUNT_POINTS[type];
}

/** Everything that is wrong on any disk. */
export function checkStorage({ storage: { partitions } }: CompleteProfile, complain: Complain): void {
  checkRoles(partitions, complain);
  checkMountPoints(partitions, complain);
  partitions.forEach((partition, index) => {
    checkFilesystem(partition, index, complain);
    checkSize(partition, index, complain);
  });
  for (const index of repeated(partitions, ({ filesystemLabel }) => filesystemLabel)) {
    complain([...at(index), 'filesystemLabel'], 'another partition has this filesystem label already');
  }
}

/** What is wrong on this disk. */
export function checkCapacity(
  { storage: { partitions } }: CompleteProfile,
  { id, sizeBytes, logicalSectorBytes }: DiskFacts,
  complain: Complain,
): void {
  const layout = layOut(partitions, sizeBytes);
  if (!layout.extents) {
    complain(
      ['storage', 'partitions'],
      `the partitions need ${inMiB(layout.neededBytes)} with the partition table, disk ${id} has ${inMiB(sizeBytes)}`,
      { found: partitions.map((it) => `${it.label} ${inMiB(minimumOf(it))}`).join(', ') },
    );
    return;
  }
  const minimum = FAT32_CLUSTERS * logicalSectorBytes;
  layout.extents.forEach((extent, index) => {
    const partition = partitions[index];
    if (!partition || filesystemOf(partition) !== 'vfat' || extent.sizeBytes >= minimum) return;
    complain(
      [...at(index), 'size'],
      `too small for FAT32 with the disk's sectors of ${logicalSectorBytes} bytes`,
      {
        allowed: `at least ${inMiB(minimum)}`,
      },
    );
  });
}

/** Below 65,525 clusters it is no FAT32 (Microsoft's FAT specification); some more for the tables beside them. */
const FAT32_CLUSTERS = 66_560;

const at = (index: number): (string | number)[] => ['storage', 'partitions', index];
const inMiB = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

function checkRoles(partitions: readonly Partition[], complain: Complain): void {
  const list = ['storage', 'partitions'];
  const of = (type: Partition['type']): number[] =>
    partitions.flatMap((partition, index) => (partition.type === type ? [index] : []));
  if (of('root').length === 0)
    complain(list, 'there is no root partition', { allowed: 'one entry with type: root' });
  if (of('esp').length === 0) {
    complain(list, 'there is no EFI system partition, without which UEFI firmware starts nothing', {
      allowed: 'one entry with type: esp',
    });
  }
  for (const type of ['root', 'esp', 'xbootldr', 'usr'] as const) {
    for (const index of of(type).slice(1))
      complain([...at(index), 'type'], `there is a partition of type ${type} already`);
  }
}

function checkMountPoints(partitions: readonly Partition[], complain: Complain): void {
  partitions.forEach((partition, index) => {
    const { type, mountPoint } = partition;
    const path = [...at(index), 'mountPoint'];
    const where = mountPointOf(partition);
    if (type === 'root' && where !== '/')
      complain(path, 'the root partition is mounted at /', { allowed: '/' });
    if (type !== 'root' && where === '/') complain(path, 'only the partition of type root is mounted at /');
    if (type === 'swap' && mountPoint !== undefined) complain(path, 'swap is not mounted');
    const reserved = RESERVED.find((it) => where === it || where?.startsWith(`${it}/`));
    if (reserved) complain(path, `nothing can be mounted at or below ${reserved}`);
  });
  for (const index of repeated(partitions, mountPointOf)) {
    const where = partitions[index] && mountPointOf(partitions[index]);
    complain([...at(index), 'mountPoint'], `another partition is mounted at ${where} already`);
  }
  checkNesting(partitions, complain);
}

/** A filesystem below a vfat is unreachable for what needs owners and permissions, and firmware does not look there. */
function checkNesting(partitions: readonly Partition[], complain: Complain): void {
  partitions.forEach((partition, index) => {
    const where = mountPointOf(partition);
    const parent = partitions.find((other) => {
      const above = mountPointOf(other);
      return other !== partition && above !== undefined && above !== '/' && where?.startsWith(`${above}/`);
    });
    if (parent && filesystemOf(parent) === 'vfat' && !isEspBelowBoot(partition, parent)) {
      complain(
        [...at(index), 'mountPoint'],
        `it lies within ${mountPointOf(parent)}, which is a vfat filesystem`,
      );
    }
  });
}

/** The Boot Loader Specification's own arrangement: XBOOTLDR at /boot, the ESP at /boot/efi. */
const isEspBelowBoot = (child: Partition, parent: Partition): boolean =>
  child.type === 'esp' && parent.type === 'xbootldr';

function checkFilesystem(partition: Partition, index: number, complain: Complain): void {
  const path = [...at(index), 'filesystem'];
  const filesystem = filesystemOf(partition);
  const { type } = partition;
  if (type === 'root' && !ROOT_FILESYSTEMS.includes(filesystem)) {
    complain(path, 'the system cannot run from it', { allowed: ROOT_FILESYSTEMS.join(', ') });
  }
  if ((type === 'esp' || type === 'xbootldr') && filesystem !== 'vfat') {
    complain(path, 'firmware and boot loader read nothing else here', { allowed: 'vfat' });
  }
  if ((type === 'swap') !== (filesystem === 'swap')) {
    complain(path, 'type swap and filesystem swap belong together', {
      found: `type ${type}, filesystem ${filesystem}`,
    });
  }
  if (['usr', 'var', 'home', 'srv', 'tmp'].includes(type) && filesystem === 'vfat') {
    complain(path, 'vfat has no owners and permissions', { allowed: ROOT_FILESYSTEMS.join(', ') });
  }
}

function checkSize(partition: Partition, index: number, complain: Complain): void {
  const filesystem = filesystemOf(partition);
  const minimum = MINIMUM_BYTES[filesystem];
  if (minimumOf(partition) >= minimum) return;
  complain([...at(index), 'size'], `too small for ${filesystem}`, { allowed: `at least ${inMiB(minimum)}` });
}
