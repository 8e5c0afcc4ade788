/** The list of files as the container's find(1) and sha256sum(1) wrote it. */
import type { FileEntry } from '../../store/file-list.ts';

/** What find(1) calls the types of files, `-printf %y`. */
const TYPES: Readonly<Record<string, FileEntry['type']>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  c: 'character',
  b: 'block',
  p: 'fifo',
  s: 'socket',
};

/** path, type, mode, user, group, size, link */
const FIELDS = 7;

/** A line of `sha256sum --zero`: digest, space, space or asterisk, path. */
const PATH_AT = 66;

/**
 * @param fields of `find . -printf '%P\0%y\0%m\0%U\0%G\0%s\0%l\0'`
 * @param digests of `sha256sum --zero` for all `find . -type f`
 * @returns sorted by path
 * @throws Error where the two do not fit together
 */
export function fileEntries(fields: Buffer, digests: Buffer): FileEntry[] {
  const digestOf = new Map(
    values(digests).map((line) => [line.slice(PATH_AT).replace(/^\./, ''), line.slice(0, 64)] as const),
  );
  const flat = values(fields);
  const entries: FileEntry[] = [];
  for (let at = 0; at < flat.length; at += FIELDS) {
    const [name = '', letter = '', mode = '', uid = '', gid = '', size = '', link = ''] = flat.slice(
      at,
      at + FIELDS,
    );
    const path = `/${name}`;
    const type = TYPES[letter];
    const digest = digestOf.get(path);
    if (!type || (type === 'file' && digest === undefined))
      throw new Error(
        `listing the files of the image: ${path} has type ${letter} and digest ${digest ?? 'none'}`,
      );
    entries.push({
      path,
      type,
      mode: Number.parseInt(mode, 8),
      uid: Number(uid),
      gid: Number(gid),
      // What a folder or link takes depends on the filesystem that the tree was on.
      size: type === 'file' ? Number(size) : 0,
      ...(type === 'file' && { digest: `sha256:${digest ?? ''}` as const }),
      ...(type === 'symlink' && { link }),
    });
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Values that each end with NUL. */
const values = (data: Buffer): string[] => data.toString('utf8').split('\0').slice(0, -1);
