/** Firmware that wired network cards and storage adapters load: an extra part of the boot image, since it is not free software. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { makeUserland, packagesOf, type Userland, userlandKey } from '../containers/debian.ts';
import { cachedLayer, type Layer } from '../containers/layer.ts';
import { SQUASHFS_OPTIONS, squashfsArchive, squashfsOfFolder } from './squashfs.ts';

const PACKAGES = fileURLToPath(new URL('../../initrd/boot/firmware.txt', import.meta.url));

const FROM = './usr/lib/firmware';
/** `initrd/boot/root/init` mounts it. */
const AT = '/usr/lib/iguana/firmware.squashfs';

/** For cameras, displays, radios and phones, which no boot image has drivers for. */
const LEFT_OUT = [
  ...[
    'ti',
    'mrvl',
    'meson',
    'nvidia',
    'go7007',
    'nxp',
    'wfx',
    'amphion',
    'dabusb',
    'imx',
    'arm',
    'ti-keystone',
  ],
  ...['intel/ipu', 'rtl_bt', 'rtlwifi', 'rtw88', 'rtw89'],
].map((folder) => `${FROM}/${folder}/*`);

/**
 * The archive with the firmware; from the cache, or made.
 * @param folder the cache of layers
 * @throws Error with what mmdebstrap, bsdtar or zstd said
 */
export async function firmwareArchive(folder: string, onLine: (line: string) => void): Promise<Layer> {
  const userland: Userland = {
    variant: 'extract',
    components: ['main', 'non-free-firmware'],
    packages: packagesOf(await readFile(PACKAGES, 'utf8')),
  };
  const tar = await cachedLayer(folder, { firmware: userlandKey(userland) }, (path) =>
    makeUserland(userland, path, onLine),
  );
  const key = { firmware: tar.diffId, from: FROM, at: AT, without: LEFT_OUT, options: SQUASHFS_OPTIONS };
  return await cachedLayer(folder, key, async (path) => {
    onLine('boot image: compressing the firmware');
    await squashfsArchive(AT, path, (filesystem, work) =>
      squashfsOfFolder(tar.path, FROM, LEFT_OUT, filesystem, work),
    );
  });
}
