/** Read-only filesystems that stay compressed in the memory of the machine that boots with them. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { EPOCH_SECONDS } from '../containers/debian.ts';
import type { Layer } from '../containers/layer.ts';
import { makeTreeLayer } from '../containers/tree-layer.ts';
import { cpioOfTar } from './cpio.ts';

/** What decides about the bytes, beside the files. */
export const SQUASHFS_OPTIONS = [
  ...['-comp', 'zstd', '-Xcompression-level', '19', '-b', '1M'],
  ...['-all-time', String(EPOCH_SECONDS), '-mkfs-time', String(EPOCH_SECONDS)],
] as const;

const ENV = { LC_ALL: 'C.UTF-8' };
const QUIET = ['-quiet', '-no-progress'];

/**
 * An archive for the kernel's initramfs whose one file is such a filesystem.
 * @param at path of the file in the machine
 * @param make makes the filesystem; may use the folder
 * @throws Error with what bsdtar, mksquashfs or zstd said
 */
export async function squashfsArchive(
  at: string,
  path: string,
  make: (filesystem: string, folder: string) => Promise<void>,
): Promise<void> {
  const work = await mkdtemp(`${path}.work-`);
  try {
    const filesystem = join(work, 'filesystem');
    await make(filesystem, work);
    await makeTreeLayer([{ path: at, source: { file: filesystem } }], join(work, 'tar'));
    await cpioOfTar(join(work, 'tar'), path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Makes one filesystem of layers, lowest first. The same layers give the same bytes. */
export async function squashfsOfLayers(layers: readonly Layer[], path: string): Promise<void> {
  const merged = ['--create', '--format', 'gnutar', '--file', '-', '--exclude', './dev/*'];
  await said(
    execa('bsdtar', [...merged, ...layers.map((layer) => `@${layer.path}`)], {
      env: ENV,
      buffer: { stdout: false },
    }).pipe('mksquashfs', ['-', path, '-tar', ...QUIET, ...SQUASHFS_OPTIONS], { env: ENV }),
  );
}

/**
 * Makes a filesystem of one folder of an archive. The same archive gives the same bytes.
 * @param from the folder, as the archive has it, e.g. `./usr/lib/modules`: the root of the filesystem
 * @param exclude patterns of paths in it that are left out
 * @param work an empty place for the folder's files, all of which are root's in the filesystem
 */
export async function squashfsOfFolder(
  tar: string,
  from: string,
  exclude: readonly string[],
  path: string,
  work: string,
): Promise<void> {
  const root = join(work, 'root');
  await mkdir(root);
  const depth = from.split('/').length;
  const args = [
    '--extract',
    '--preserve-permissions',
    '--file',
    tar,
    '--directory',
    root,
    '--strip-components',
    String(depth),
  ];
  const left = exclude.flatMap((pattern) => ['--exclude', pattern]);
  await said(execa('bsdtar', [...args, ...left, '--include', `${from}/*`], { env: ENV }));
  const owner = ['-all-root', '-root-mode', '755', '-no-xattrs'];
  await said(execa('mksquashfs', [root, path, ...owner, ...QUIET, ...SQUASHFS_OPTIONS], { env: ENV }));
}

async function said(running: PromiseLike<unknown>): Promise<void> {
  try {
    await running;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `making a filesystem of the boot image: ${why} (Debian’s packages libarchive-tools and squashfs-tools)`,
      { cause },
    );
  }
}
