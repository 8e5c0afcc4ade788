/** The container in which images of operating systems are built. */
import type { Engine } from '../engine/connect.ts';
import type { StatePaths } from '../state.ts';
import { makeUserland, type Userland, userlandKey } from './debian.ts';
import { ensureImage } from './ensure.ts';
import { contentTag } from './image.ts';
import { cachedLayer } from './layer.ts';

const USERLAND: Userland = {
  variant: 'apt',
  packages: [
    'mmdebstrap',
    // mmdebstrap mounts /proc, /sys and /dev into the tree it makes.
    'mount',
    'debian-archive-keyring',
    'ca-certificates',
    // Signing keys of repositories, armoured or not.
    'gpg',
    'gpgv',
    'sqv',
    // Filesystems made from an archive: `mke2fs -d` reads tar by libarchive.
    'e2fsprogs',
    'libarchive13t64',
    'xfsprogs',
    'btrfs-progs',
    'dosfstools',
    'mtools',
    'fdisk',
    'qemu-utils',
    'zstd',
    'xz-utils',
    // For Node, where a build step runs on it.
    'libatomic1',
  ],
};

/** @returns the tag that the builder's image has for this recipe */
export const builderImageTag = (): string => contentTag('builder', userlandKey(USERLAND));

/**
 * The builder's image; made where the engine does not have it. Quick when it has.
 * @param onLine told what is being done, a line for people
 * @returns the tag to run it by
 * @throws EngineFailed, or Error with what mmdebstrap said
 */
export async function ensureBuilderImage(
  engine: Engine,
  paths: StatePaths,
  onLine: (line: string) => void,
): Promise<string> {
  return await ensureImage(engine, paths, onLine, {
    name: 'builder',
    tag: builderImageTag(),
    layers: async (folder) => [
      await cachedLayer(folder, userlandKey(USERLAND), (path) => makeUserland(USERLAND, path, onLine)),
    ],
    command: ['/bin/bash'],
  });
}
