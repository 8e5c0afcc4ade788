/** Debian's userland as a layer of a container image. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { requiredAptMirror } from '../apt-mirror.ts';
import { lineStream } from '../engine/lines.ts';

/** The release that the containers are made of, whatever the host runs. */
export const DEBIAN_RELEASE = 'trixie';

/** Time stamp of all files, so that the same packages give the same archive: 2025-08-09, the release of Debian 13. */
export const EPOCH_SECONDS = 1_754_697_600;

/** Files that no container needs. */
const EXCLUDED = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];

/** What goes into the userland. */
export interface Userland {
  /** mmdebstrap's variant: `essential` has no apt, `apt` can install more; `extract` is the packages' files and nothing else. */
  readonly variant: 'essential' | 'apt' | 'extract';
  readonly packages: readonly string[];
  /** Parts of the archive; default `main`. */
  readonly components?: readonly string[];
  /** A program for the end, run with the root folder as its argument; `digest` of its text is part of the key. */
  readonly customize?: { readonly program: string; readonly digest: string };
}

/** @returns the names in a list with one a line, and comments behind `#` at the beginning of a line */
export const packagesOf = (list: string): string[] =>
  list.split('\n').filter((line) => line && !line.startsWith('#'));

/** All that determines a userland, but for the versions that the mirror has. */
export const userlandKey = ({ customize, ...userland }: Userland): unknown => ({
  release: DEBIAN_RELEASE,
  epoch: EPOCH_SECONDS,
  excluded: EXCLUDED,
  userland,
  customize: customize?.digest,
});

/**
 * Makes the userland by mmdebstrap.
 * @param path the archive to write
 * @param onLine what mmdebstrap says
 * @throws Error with mmdebstrap's last lines where it fails
 */
export async function makeUserland(
  { variant, packages, components = ['main'], customize }: Userland,
  path: string,
  onLine: (line: string) => void,
): Promise<void> {
  const { archive, security } = await requiredAptMirror();
  const parts = components.join(' ');
  const lines: string[] = [];
  const output = lineStream((line) => {
    lines.push(line);
    onLine(line);
  });
  const child = spawn(
    'mmdebstrap',
    [
      `--variant=${variant}`,
      `--include=${packages.join(',')}`,
      '--aptopt=Acquire::Languages "none"',
      // A mirror that is slow once is asked again; one that is away must not keep anybody for minutes.
      '--aptopt=Acquire::Retries "3"',
      '--aptopt=Acquire::http::Timeout "30"',
      ...EXCLUDED.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
      ...(customize ? [`--customize-hook=${customize.program}`] : []),
      '--format=tar',
      DEBIAN_RELEASE,
      path,
      `deb ${archive} ${DEBIAN_RELEASE} ${parts}`,
      `deb ${archive} ${DEBIAN_RELEASE}-updates ${parts}`,
      `deb ${security} ${DEBIAN_RELEASE}-security ${parts}`,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C.UTF-8', SOURCE_DATE_EPOCH: String(EPOCH_SECONDS) },
    },
  );
  child.stdout.pipe(output, { end: false });
  child.stderr.pipe(output, { end: false });
  const what = `making a Debian ${DEBIAN_RELEASE} userland with mmdebstrap`;
  const status = await once(child, 'close').then(
    ([code, signal]) => code ?? signal,
    (cause: Error) => {
      throw new Error(`${what}: ${cause.message} (Debian’s package mmdebstrap)`, { cause });
    },
  );
  if (status !== 0) throw new Error(`${what} failed with ${status}: ${lines.slice(-8).join('; ')}`);
}
