/** What every path of the installed system shall be: the image's list, with the changes of this machine. */
import type { FileEntry } from '../../store/file-list.ts';
import { imageFailure } from '../images/failures.ts';
import type { Description } from '../personalise/entry.ts';

/** What is compared of a path; times are not, since the system sets them itself. */
export interface Expected {
  readonly type: FileEntry['type'];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file. */
  readonly size?: number;
  /** Of a file's content. */
  readonly digest?: string;
  /** Target of a symbolic link. */
  readonly link?: string;
}

/** Expectations by path. */
export type ExpectedFiles = Map<string, Expected>;

/**
 * Merges the image's list with the changes; a path that was taken away is expected no longer.
 * @throws failure `ImageCorrupt` where the list is damaged, or breaks the format
 */
export async function expectedFiles(
  image: AsyncIterable<FileEntry>,
  changes: ReadonlyMap<string, Description>,
): Promise<ExpectedFiles> {
  const expected: ExpectedFiles = new Map();
  try {
    for await (const entry of image) expected.set(entry.path, fromEntry(entry));
  } catch (error) {
    throw imageFailure(error, 'verifying the installed files') ?? error;
  }
  for (const [path, description] of changes) {
    if (description.type === 'absent') expected.delete(path);
    else expected.set(path, fromDescription(description));
  }
  return expected;
}

function fromEntry({ type, mode, uid, gid, size, digest, link }: FileEntry): Expected {
  return {
    type,
    mode,
    uid,
    gid,
    ...(digest && { size, digest }),
    ...(link !== undefined && { link }),
  };
}

function fromDescription(description: Exclude<Description, { type: 'absent' }>): Expected {
  const { uid, gid } = description;
  switch (description.type) {
    case 'file': {
      const { mode, size, digest } = description;
      return { type: 'file', mode, uid, gid, size, digest };
    }
    case 'directory':
      return { type: 'directory', mode: description.mode, uid, gid };
    case 'symlink':
      return { type: 'symlink', mode: LINK_MODE, uid, gid, link: description.target };
  }
}

/** Linux gives every symbolic link these permissions, and uses none of them (symlink(7)). */
const LINK_MODE = 0o777;
