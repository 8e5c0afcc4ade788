/** A read-only filesystem of container layers: it stays compressed in the memory of the machine that boots with it. */
import { execa } from 'execa';
import { EPOCH_SECONDS } from '../containers/debian.ts';
import type { Layer } from '../containers/layer.ts';

/** What decides about the bytes, beside the layers. */
export const SQUASHFS_OPTIONS = [
  ...['-comp', 'zstd', '-Xcompression-level', '19', '-b', '1M'],
  ...['-all-time', String(EPOCH_SECONDS), '-mkfs-time', String(EPOCH_SECONDS)],
] as const;

/**
 * Makes one filesystem of layers, lowest first. The same layers give the same bytes.
 * @throws Error with what bsdtar or mksquashfs said
 */
export async function squashfsOfLayers(layers: readonly Layer[], path: string): Promise<void> {
  const env = { LC_ALL: 'C.UTF-8' };
  const merged = ['--create', '--format', 'gnutar', '--file', '-', '--exclude', './dev/*'];
  try {
    await execa('bsdtar', [...merged, ...layers.map((layer) => `@${layer.path}`)], {
      env,
      buffer: { stdout: false },
    }).pipe('mksquashfs', ['-', path, '-tar', '-quiet', '-no-progress', ...SQUASHFS_OPTIONS], { env });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `making the filesystem of the agent: ${why} (Debian’s packages libarchive-tools and squashfs-tools)`,
      { cause },
    );
  }
}
