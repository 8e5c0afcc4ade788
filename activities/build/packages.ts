/** Which packages an image gets by name, besides those of its variant. */
import type { ManifestImage } from '../../manifest/schema/manifest.ts';

/** Locales that the C library has built in. */
const BUILT_IN_LOCALE = /^(C|POSIX)(\.|$)/;

/** @returns sorted, each once: the manifest's, the kernel's, and what initrd, locale, keyboard and time zone need */
export function packagesOf(image: ManifestImage): string[] {
  const names = new Set([...image.packages, image.kernel.package]);
  if (!BUILT_IN_LOCALE.test(image.locale)) names.add('locales');
  // Of the kernel's own keymap, which is American, nothing needs to be loaded.
  if (image.keyboard !== 'us') names.add('console-setup');
  // Without, initramfs-tools falls back to gzip: six times as slow here, and larger. Debian only recommends it.
  if (names.has('initramfs-tools')) names.add('zstd');
  if (!/^(Etc\/)?UTC$/.test(image.timezone)) names.add('tzdata');
  return [...names].sort();
}
