/** Who writes in the benchmark: command lines of bash, each ending when everything is on the disk. */
import { basename, join } from 'node:path';
import type { ReferenceImage } from './write-image.ts';
import { iguana, launcherEnv } from './write-pack.ts';

/** One way to write the image, or a limit. */
export interface Contender {
  readonly name: string;
  command(target: string): string;
  /** What it wrote is the image; the bytes of the limit are not, and those that write nothing leave nothing. */
  readonly writes: 'image' | 'allocated' | 'nothing';
  /** CPU time, shared by all cores, where that is the limit and not the time on the wall. */
  readonly counts?: 'cpu';
}

/** Peers that verify what they write. */
export const peerNames = ['bmaptool zst', 'bmaptool gz'];

/** @returns in the order in which they run */
export function contenders({
  image,
  layout,
  url,
}: {
  image: ReferenceImage;
  layout: string;
  url: string;
}): readonly Contender[] {
  const served = (path: string): string => `${url}/${basename(path)}`;
  const state = join(layout, '../iguana-state');
  const write = (target: string, more = ''): string =>
    // A disk that Iguana has never seen, as it is for the others; Node as the launcher starts it.
    `rm -rf ${state}; IGUANA_STATE=${state} NODE_COMPILE_CACHE=${launcherEnv.NODE_COMPILE_CACHE} ${iguana.join(' ')} image write ${served(layout)} ${target} --yes --unsigned ${more} >/dev/null`;
  const dd = 'bs=4M iflag=fullblock status=none';
  return [
    { name: 'iguana', writes: 'image', command: (target) => write(target, '--no-read-back') },
    { name: 'iguana, with read-back', writes: 'image', command: (target) => write(target) },
    {
      name: 'bmaptool zst',
      writes: 'image',
      command: (target) => `bmaptool -q copy --bmap ${image.bmap} ${served(image.zst)} ${target}`,
    },
    {
      name: 'bmaptool gz',
      writes: 'image',
      command: (target) => `bmaptool -q copy --bmap ${image.bmap} ${served(image.gz)} ${target}`,
    },
    {
      name: 'curl | zstd -d | dd',
      writes: 'image',
      command: (target) =>
        `curl -sf ${served(image.zst)} | zstd -dcq | dd of=${target} ${dd} conv=fsync,notrunc`,
    },
    {
      name: 'curl | zstd -d | dd conv=sparse',
      writes: 'image',
      command: (target) =>
        `curl -sf ${served(image.zst)} | zstd -dcq | dd of=${target} ${dd} conv=sparse,fsync,notrunc`,
    },
    {
      // Without its driver for HTTP, which Debian has in another package: from the disk.
      name: 'qemu-img convert, local qcow2',
      writes: 'image',
      command: (target) =>
        `qemu-img convert -n --target-is-zero -m 4 -W -t none -f qcow2 -O raw ${image.qcow2} ${target}`,
    },
    {
      name: 'dd of the allocated bytes',
      writes: 'allocated',
      command: (target) => `dd if=${image.allocated} of=${target} ${dd} oflag=direct conv=fsync,notrunc`,
    },
    {
      name: 'zstd -d > /dev/null',
      writes: 'nothing',
      command: () => `zstd -dcq ${image.zst} >/dev/null`,
    },
    {
      name: 'decompression and SHA-256, CPU ÷ cores',
      writes: 'nothing',
      counts: 'cpu',
      command: () =>
        `zstd -dcq --no-check ${image.allocatedZst} >/dev/null; openssl dgst -sha256 ${image.allocated} >/dev/null`,
    },
  ];
}
