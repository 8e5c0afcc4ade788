/** Which Debian mirror this host itself uses: the default for repositories without an address. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AptSource, parseDeb822, parseOneLine } from './apt-sources.ts';

/** Base addresses of Debian's two archives, without a slash at the end. */
export interface AptMirror {
  readonly archive: string;
  readonly security: string;
}

/**
 * Reads apt's configuration (sources.list(5)).
 * @param root of the host; a test gives another
 * @returns undefined where the host is no Debian, or has no plain archive of it in its sources
 * @throws Error when a file of the configuration cannot be read
 */
export async function hostAptMirror(root = '/'): Promise<AptMirror | undefined> {
  if (!(await isDebian(root))) return undefined;
  return chooseMirror(await readSources(join(root, 'etc/apt')));
}

/**
 * The mirror of this host, for what cannot do without.
 * @throws Error that says what to do where the host has none
 */
export async function requiredAptMirror(): Promise<AptMirror> {
  const mirror = await hostAptMirror();
  if (mirror) return mirror;
  throw new Error(
    'looking for the Debian mirror of this host: /etc/apt names none over http, https or file. ' +
      'Write one to /etc/apt/sources.list.d/debian.sources, see sources.list(5)',
  );
}

/**
 * Picks the archive among all sources: the one with a suite of Debian's own and its component `main`.
 * @returns undefined where there is none; a host without security sources gets those from the archive's neighbour
 */
function chooseMirror(sources: readonly AptSource[]): AptMirror | undefined {
  const usable = sources.filter(
    ({ uri, components }) =>
      components.includes('main') &&
      // Addresses with a password must not reach a manifest, which everybody may see; cdrom: and others are not for building.
      /^(https?:\/\/|file:\/)(?![^/]*@)/.test(uri),
  );
  const security = usable.find(({ suite }) => SECURITY.test(suite));
  const archive = usable.find(
    ({ suite, uri }) => ARCHIVE.test(suite) && (/\/debian\/?$/.test(uri) || hasUpdates(usable, uri, suite)),
  );
  if (!archive) return undefined;
  const base = trim(archive.uri);
  // Debian's mirrors keep the two archives side by side under these names.
  return { archive: base, security: security ? trim(security.uri) : `${base}-security` };
}

const NAMES = 'buster|bullseye|bookworm|trixie|forky|duke|sid|oldstable|stable|testing|unstable';
const ARCHIVE = new RegExp(`^(${NAMES})$`);
/** Since Debian 11 `NAME-security`; `NAME/updates` before. */
const SECURITY = new RegExp(`^(${NAMES})(-security|/updates)$`);

/** Archives of others also call their suites by Debian's names; they have none with updates. */
const hasUpdates = (sources: readonly AptSource[], uri: string, suite: string): boolean =>
  sources.some((other) => other.uri === uri && other.suite === `${suite}-updates`);

/** apt also takes `file:/path`, which is no address for anything else. */
const trim = (uri: string): string => uri.replace(/^file:\/+/, 'file:///').replace(/\/+$/, '');

async function isDebian(root: string): Promise<boolean> {
  const text = await readIfThere(join(root, 'etc/os-release'));
  return /^ID="?debian"?$/m.test(text ?? '');
}

async function readSources(folder: string): Promise<AptSource[]> {
  const parts = join(folder, 'sources.list.d');
  const main = parseOneLine((await readIfThere(join(folder, 'sources.list'))) ?? '');
  const others = await Promise.all(
    (await listIfThere(parts)).map(async (name) => {
      const parse = name.endsWith('.list')
        ? parseOneLine
        : name.endsWith('.sources')
          ? parseDeb822
          : undefined;
      return parse ? parse(await readFile(join(parts, name), 'utf8')) : [];
    }),
  );
  return [...main, ...others.flat()];
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new Error(`reading ${path}`, { cause: error });
  }
}

async function listIfThere(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw new Error(`listing ${path}`, { cause: error });
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
