/** Compares a mounted system with what is expected of it, path by path. */
import type { Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfFile } from '../../image/digest.ts';
import type { FileEntry } from '../../store/file-list.ts';
import type { Expected, ExpectedFiles } from './expected-files.ts';

/** One way in which the disk is not what it shall be. */
export interface Difference {
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}

/** What is compared, and how it is watched. */
export interface Comparison {
  /** Where the system is mounted. */
  readonly folder: string;
  readonly expected: ExpectedFiles;
  /** Paths that may be there although nobody expects them; what is below a folder of these is looked at. */
  readonly allowed: ReadonlySet<string>;
  /** Called after each file with the bytes read so far; may throw to stop. */
  readonly onFile: (bytes: number) => void;
}

/** What was compared. */
export interface ComparisonResult {
  readonly files: number;
  readonly bytes: number;
  /** In order of path. */
  readonly differences: readonly Difference[];
}

/** As many files are read at once: a disk answers many small reads at once several times faster than one by one. */
const READERS = 16;

/** Looks at everything below the folder, and for everything that is expected. */
export async function compareTree({
  folder,
  expected,
  allowed,
  onFile,
}: Comparison): Promise<ComparisonResult> {
  const differences: Difference[] = [];
  const missing = new Set(expected.keys());
  let files = 0;
  let bytes = 0;
  const found: string[] = ['/'];
  const visit = async (path: string): Promise<void> => {
    const stat = await lstat(join(folder, path));
    missing.delete(path);
    const wanted = expected.get(path);
    if (wanted) {
      const difference = await compare(join(folder, path), path, stat, wanted);
      if (difference) differences.push(difference);
      files += 1;
      if (stat.isFile()) bytes += stat.size;
      onFile(bytes);
    } else if (!allowed.has(path)) {
      differences.push({ path, expected: 'nothing', found: typeOf(stat) });
      // One line says enough about a folder that should not be there.
      return;
    }
    if (!stat.isDirectory()) return;
    for (const name of await readdir(join(folder, path))) found.push(join(path, name));
  };
  while (found.length > 0) await Promise.all(found.splice(-READERS).map(visit));
  for (const path of missing) {
    differences.push({ path, expected: expected.get(path)?.type ?? '', found: 'nothing' });
  }
  differences.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { files, bytes, differences };
}

async function compare(
  place: string,
  path: string,
  stat: Stats,
  wanted: Expected,
): Promise<Difference | undefined> {
  const type = typeOf(stat);
  if (type !== wanted.type) return { path, expected: wanted.type, found: type };
  const mode = stat.mode & 0o7777;
  if (mode !== wanted.mode) {
    return { path, expected: `mode ${octal(wanted.mode)}`, found: `mode ${octal(mode)}` };
  }
  if (stat.uid !== wanted.uid || stat.gid !== wanted.gid) {
    return { path, expected: `owner ${wanted.uid}:${wanted.gid}`, found: `owner ${stat.uid}:${stat.gid}` };
  }
  if (type === 'symlink' && wanted.link !== undefined) {
    const link = await readlink(place);
    if (link !== wanted.link) return { path, expected: `link to ${wanted.link}`, found: `link to ${link}` };
  }
  if (type === 'file' && wanted.digest !== undefined) {
    const digest = await digestOfFile(place, stat.size);
    if (digest !== wanted.digest) return { path, expected: wanted.digest, found: digest };
    if (stat.size !== wanted.size)
      return { path, expected: `${wanted.size} bytes`, found: `${stat.size} bytes` };
  }
  return undefined;
}

function typeOf(stat: Stats): FileEntry['type'] {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'character';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');
