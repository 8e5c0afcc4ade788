/** The boot entry of the installed system, by the Boot Loader Specification (type 1). */
import type { Manifest } from '../../manifest/schema/manifest.ts';
import { FALLBACK_LOADER, findKernels, type Kernel } from '../../store/esp-archive.ts';
import { failure } from '../failures.ts';
import { kernelCommandLine } from './command-line.ts';

/** A boot entry. */
export interface LoaderEntry {
  /** Path on the ESP. */
  readonly path: string;
  readonly text: string;
}

/**
 * Boot entries for all kernels of the ESP content. They are named as kernel-install(8) names them, so that the
 * installed system replaces them when it gets another kernel.
 * @param files paths of the ESP content
 * @throws failure `BootloaderFailed` where kernel or boot loader are missing
 */
export function loaderEntries(files: readonly string[], manifest: Manifest, rootUuid: string): LoaderEntry[] {
  const remedy = 'Add packages systemd-boot and a kernel to image.packages, then amend.';
  if (!files.includes(FALLBACK_LOADER)) {
    throw failure('BootloaderFailed', `installing the boot loader: the image has no ${FALLBACK_LOADER}`, {
      remedy,
    });
  }
  const kernels = findKernels(files);
  if (kernels.length === 0) {
    throw failure('BootloaderFailed', 'installing the boot loader: the image has no kernel', { remedy });
  }
  return kernels.map((kernel) => ({
    path: `loader/entries/${kernel.token}-${kernel.version}.conf`,
    text: entryText(kernel, manifest, rootUuid),
  }));
}

function entryText({ token, version, hasInitrd }: Kernel, manifest: Manifest, rootUuid: string): string {
  const { distribution, release } = manifest.image;
  const lines = [
    ['title', `${distribution} ${release}`],
    ['version', version],
    ['sort-key', distribution],
    ['options', kernelCommandLine(manifest, rootUuid)],
    ['linux', `/${token}/${version}/linux`],
    ...(hasInitrd ? [['initrd', `/${token}/${version}/initrd.img`]] : []),
  ];
  return lines.map(([key = '', value]) => `${key.padEnd(10)} ${value}\n`).join('');
}
