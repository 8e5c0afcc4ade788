/** The Debian mirror that this host's own apt uses: what its administrator chose is near, allowed and trusted. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Base addresses, without a slash at the end. */
export interface AptMirror {
  readonly main: string;
  readonly security: string;
}

/** Debian's own, which answers from a server nearby. */
const DEFAULT_MIRROR: AptMirror = {
  main: 'http://deb.example.org/debian',
  security: 'http://deb.example.org/debian-security',
};

/**
 * The mirror of this host.
 * @param folder apt's configuration; default /etc/apt
 * @returns Debian's own addresses where the host has none, e.g. since it is no Debian
 */
export async function hostAptMirror(folder = '/etc/apt'): Promise<AptMirror> {
  const sources = await readSources(folder);
  // Suites, not addresses, tell Debian's archives from other people's.
  const find = (pattern: RegExp): string | undefined =>
    sources.find(({ uri, suites }) => /^https?:/.test(uri) && suites.some((suite) => pattern.test(suite)))
      ?.uri;
  return {
    main: find(/^(bookworm|trixie|stable|oldstable)(-updates)?$/) ?? DEFAULT_MIRROR.main,
    security: find(/^(bookworm|trixie|stable|oldstable)-security$/) ?? DEFAULT_MIRROR.security,
  };
}

interface Source {
  readonly uri: string;
  readonly suites: readonly string[];
}

async function readSources(folder: string): Promise<Source[]> {
  const parts = join(folder, 'sources.list.d');
  const names = (await listFolder(parts)).toSorted();
  const files = [join(folder, 'sources.list'), ...names.map((name) => join(parts, name))];
  const found = await Promise.all(
    files.map(async (file) => {
      const text = await readOptional(file);
      if (file.endsWith('.list')) return oneLineSources(text);
      return file.endsWith('.sources') ? deb822Sources(text) : [];
    }),
  );
  return found.flat();
}

/** `deb [options] URI SUITE COMPONENT…`, sources.list(5). */
function oneLineSources(text: string): Source[] {
  return [...text.matchAll(/^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/gm)].map(
    ([, uri = '', suite = '']) => ({
      uri: uri.replace(/\/+$/, ''),
      suites: [suite],
    }),
  );
}

/** Paragraphs of `Field: value`, continued on indented lines; sources.list(5). */
function deb822Sources(text: string): Source[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .split(/\n\s*\n/)
    .flatMap((paragraph) => {
      const field = (name: string): string[] => {
        const value = new RegExp(`^${name}:((?:.*)(?:\\n[ \\t].*)*)`, 'im').exec(paragraph)?.[1] ?? '';
        return value.split(/\s+/).filter(Boolean);
      };
      if (!field('Types').includes('deb') || field('Enabled')[0]?.toLowerCase() === 'no') return [];
      return field('URIs').map((uri) => ({ uri: uri.replace(/\/+$/, ''), suites: field('Suites') }));
    });
}

async function listFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

async function readOptional(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
