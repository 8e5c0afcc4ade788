/** What shall be, or is, at one path of the target. */
import { digestOf } from '../../image/digest.ts';
import type { Digest } from '../../manifest/schema/common.ts';

interface Owned {
  readonly uid: number;
  readonly gid: number;
}

/** What shall be at a path. Modes are permission bits only, e.g. 0o644. */
export type Entry =
  | ({ readonly type: 'file'; readonly mode: number; readonly content: Buffer } & Owned)
  | ({ readonly type: 'directory'; readonly mode: number } & Owned)
  | ({ readonly type: 'symlink'; readonly target: string } & Owned)
  | { readonly type: 'absent' };

type FileEntry = Extract<Entry, { type: 'file' }>;
type DirectoryEntry = Extract<Entry, { type: 'directory' }>;

/** An entry without its content: what the list of changes holds and what verifying compares. */
export type Description =
  | ({ readonly type: 'file'; readonly mode: number; readonly size: number; readonly digest: Digest } & Owned)
  | ({ readonly type: 'directory'; readonly mode: number } & Owned)
  | ({ readonly type: 'symlink'; readonly target: string } & Owned)
  | { readonly type: 'absent' };

/** @returns the entry with the digest of its content in place of the content */
export function describeEntry(entry: Entry): Description {
  if (entry.type !== 'file') return entry;
  const { content, ...rest } = entry;
  return { ...rest, size: content.length, digest: digestOf(content) };
}

/** Owner `root:root`. */
export const ROOT = { uid: 0, gid: 0 } as const;

/** @returns a file of root's, by default readable by everybody */
export function file(content: string | Buffer, mode = 0o644): FileEntry {
  return { type: 'file', mode, content: Buffer.from(content), ...ROOT };
}

/** @returns a folder of root's */
export function directory(mode = 0o755): DirectoryEntry {
  return { type: 'directory', mode, ...ROOT };
}

/** @returns a symbolic link of root's */
export function symlink(target: string): Entry {
  return { type: 'symlink', target, ...ROOT };
}

/** Entries by path in the target. */
export type Entries = Map<string, Entry>;
