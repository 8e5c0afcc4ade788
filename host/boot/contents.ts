/** What takes the space in a boot image. */
import { execa } from 'execa';

/** Files that belong together. */
export interface Share {
  /** A program, a library, or a folder with a slash at its end. */
  readonly what: string;
  /** As unpacked in a machine's memory; the archive is about a third of that. */
  readonly bytes: number;
}

/** A line of bsdtar's: mode, links, owner, group, size, date in three words, path. */
const LINE = /^-\S*\s+\d+\s+\S+\s+\S+\s+(\d+)\s+\S+\s+\S+\s+\S+\s+\.?\/?(.+)$/;
/** Not part of the archive: the kernel travels beside. */
const LEFT_OUT = /^(?:boot|dev)\//;
/** What is told by its own name: programs and libraries; of kernel modules, the kind of driver; else the second folder. */
const GROUPS = [
  /^(usr\/lib\/modules)\/[^/]+\/kernel(\/[^/]+\/(?:[^/]+\/)?)/,
  /^usr\/(?:s?bin|libexec\/podman)\/[^/]+$/,
  /^usr\/lib\/[^/]+-linux-gnu\/[^/]+$/,
  /^usr\/(?:lib|share)\/[^/]+\//,
  /^[^/]+\/[^/]*\/?/,
];

/**
 * The largest shares of a system.
 * @param tar its files
 * @returns the largest first
 * @throws Error with what bsdtar said
 */
export async function largestShares(tar: string, count: number): Promise<readonly Share[]> {
  const { stdout } = await execa('bsdtar', ['--list', '--verbose', '--numeric-owner', '--file', tar]);
  const shares = new Map<string, number>();
  for (const line of stdout.split('\n')) {
    const [, size, path] = LINE.exec(line) ?? [];
    if (path === undefined || LEFT_OUT.test(path)) continue;
    const what = groupOf(path);
    shares.set(what, (shares.get(what) ?? 0) + Number(size));
  }
  return [...shares]
    .map(([what, bytes]) => ({ what, bytes }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, count);
}

function groupOf(path: string): string {
  for (const group of GROUPS) {
    const match = group.exec(path);
    if (match) return match.slice(1).join('') || match[0];
  }
  return path;
}
