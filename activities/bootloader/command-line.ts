/** The kernel command line of the installed system. */
import type { Manifest } from '../../manifest/schema/manifest.ts';

/**
 * @param rootUuid UUID of the root filesystem: the name of its device may change between two boots
 * @returns one line without line break
 */
export function kernelCommandLine(manifest: Manifest, rootUuid: string): string {
  return [`root=UUID=${rootUuid}`, 'rw', ...manifest.image.kernel.cmdline].join(' ');
}
