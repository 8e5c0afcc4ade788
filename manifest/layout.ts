/** Exact places of partitions on a disk. Pure. */
import { sizeToBytes } from './schema/common.ts';
import type { CompleteProfile } from './schema/profile.ts';

type Partition = CompleteProfile['storage']['partitions'][number];
/** @see Partition */
export type Filesystem = NonNullable<Partition['filesystem']>;

export const MIB = 2 ** 20;

/**
 * Partitions begin at multiples of this: what sfdisk and systemd-repart do, and a multiple of all block and flash page
 * sizes in use.
 */
const ALIGNMENT = MIB;

/**
 * Kept free at both ends for the GPT and its copy, alignment included. They need the first 34 and the last 33 sectors of
 * 512 bytes, or 6 and 5 of 4096 (UEFI specification 2.10, section 5.3): less than 20 KiB.
 */
const TABLE_BYTES = ALIGNMENT;

/**
 * Smallest partition for each filesystem. vfat: room for a kernel and its initrd, and more than the 33 MiB below which no
 * FAT32 with sectors of 512 bytes can be. The others: what systemd-repart 257 makes at least, since it makes a smaller
 * partition larger without a word.
 */
export const MINIMUM_BYTES: Readonly<Record<Filesystem, number>> = {
  vfat: 64 * MIB,
  ext4: 32 * MIB,
  btrfs: 256 * MIB,
  xfs: 300 * MIB,
  swap: MIB,
};

/** Where a partition is: bytes, multiples of 1 MiB. */
export interface Extent {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** The places, or how much is missing. */
export type Layout =
  | { readonly extents: readonly Extent[] }
  | { readonly extents?: never; readonly neededBytes: number };

/** @returns the partition's filesystem, or the one that its type has by default */
export function filesystemOf({ filesystem, type }: Pick<Partition, 'filesystem' | 'type'>): Filesystem {
  if (filesystem) return filesystem;
  if (type === 'esp' || type === 'xbootldr') return 'vfat';
  return type === 'swap' ? 'swap' : 'ext4';
}

/**
 * Places partitions one after the other.
 *
 * An exact size is rounded up to whole MiB. The space that exact sizes leave is shared equally among those that say `min`
 * or `rest`; where the share is below a minimum, that partition gets its minimum and the others share what then is left.
 * The minimum of `rest` is the filesystem's.
 * @param diskBytes size of the whole disk
 */
export function layOut(partitions: readonly Partition[], diskBytes: number): Layout {
  const usable = roundDown(diskBytes) - 2 * TABLE_BYTES;
  const minima = partitions.map(minimumOf);
  const needed = sum(minima);
  if (needed > usable) return { neededBytes: needed + 2 * TABLE_BYTES };
  const sizes = share(partitions, minima, usable);
  let offset = TABLE_BYTES;
  const extents = sizes.map((sizeBytes) => {
    const extent = { offsetBytes: offset, sizeBytes };
    offset += sizeBytes;
    return extent;
  });
  return { extents };
}

/** @returns bytes that the partition has at least, in whole MiB */
export function minimumOf(partition: Partition): number {
  const { size } = partition;
  if (size === 'rest') return MINIMUM_BYTES[filesystemOf(partition)];
  return roundUp(sizeToBytes(typeof size === 'object' ? size.min : size));
}

function share(partitions: readonly Partition[], minima: readonly number[], usable: number): number[] {
  const sizes = [...minima];
  let growing = partitions.flatMap(({ size }, index) => (isElastic(size) ? [index] : []));
  let left = usable - sum(sizes.filter((_, index) => !growing.includes(index)));
  // Each round takes out those whose minimum is above the equal share; what remains is shared again.
  for (let done = false; !done && growing.length > 0; ) {
    const equal = roundDown(left / growing.length);
    const fixed = growing.filter((index) => (minima[index] ?? 0) > equal);
    done = fixed.length === 0;
    growing = growing.filter((index) => !fixed.includes(index));
    left -= sum(fixed.map((index) => minima[index] ?? 0));
    if (done) for (const index of growing) sizes[index] = equal;
  }
  // The MiB that cannot be divided go to the last one.
  const last = growing.at(-1);
  if (last !== undefined) sizes[last] = usable - sum(sizes.filter((_, index) => index !== last));
  return sizes;
}

const isElastic = (size: Partition['size']): boolean => size === 'rest' || typeof size === 'object';
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const roundDown = (bytes: number): number => Math.floor(bytes / ALIGNMENT) * ALIGNMENT;
const roundUp = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
