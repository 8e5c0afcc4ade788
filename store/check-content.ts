/** Whether an install can use what an image brings, looked at while no disk has been touched yet. */
import { BadImage } from '../image/format/errors.ts';
import { espFiles, FALLBACK_LOADER, findKernels } from './esp-archive.ts';
import { type FileEntry, readFileList } from './file-list.ts';

/** Something that every installed system needs, at one of some places: parents may be links. */
interface Need {
  readonly what: string;
  readonly types: readonly FileEntry['type'][];
  readonly paths: readonly string[];
}

const PROGRAM = ['file', 'symlink'] as const;
const FOLDER = ['directory', 'symlink'] as const;

/** As docs/image-format.md lists them. */
const NEEDS: readonly Need[] = [
  { what: 'systemd', types: PROGRAM, paths: ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'] },
  { what: 'bash', types: PROGRAM, paths: ['/usr/bin/bash', '/bin/bash'] },
  // The initrd moves there what it has mounted.
  ...['/dev', '/proc', '/run', '/sys'].map((path) => ({
    what: `the folder ${path}`,
    types: FOLDER,
    paths: [path],
  })),
];

/** Files with two of the attachments. */
export interface ContentFiles {
  readonly esp: string;
  readonly files: string;
}

/**
 * Reads both once, and keeps names only.
 * @param doing for messages: `fetching the image IMAGE`
 * @throws BadImage saying what is missing, or what breaks the format; ImageIoError
 */
export async function checkContent(
  doing: string,
  { esp, files }: ContentFiles,
  signal?: AbortSignal,
): Promise<void> {
  const paths: string[] = [];
  for await (const { path } of espFiles(esp)) {
    signal?.throwIfAborted();
    paths.push(path);
  }
  if (!paths.includes(FALLBACK_LOADER))
    throw new BadImage(
      doing,
      `its attachment esp has no boot loader ${FALLBACK_LOADER}: add systemd-boot to it`,
    );
  if (findKernels(paths).length === 0)
    throw new BadImage(doing, 'its attachment esp has no kernel: add one as TOKEN/VERSION/linux');
  await checkRoot(doing, files, signal);
}

async function checkRoot(doing: string, list: string, signal: AbortSignal | undefined): Promise<void> {
  const open = new Set(NEEDS);
  for await (const { path, type } of readFileList(list)) {
    signal?.throwIfAborted();
    for (const need of open) if (need.types.includes(type) && need.paths.includes(path)) open.delete(need);
  }
  if (open.size === 0) return;
  const missing = [...open].map(({ what, paths }) => `${what} (${paths.join(' or ')})`).join(', ');
  throw new BadImage(
    doing,
    `its root filesystem, as its attachment files lists it, lacks what every install needs: ${missing}; add that`,
  );
}
