/** What shall be on the ESP: the image's content and the boot entries of this machine. */
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { digestOfFile } from '../../image/digest.ts';
import type { Digest } from '../../manifest/schema/common.ts';
import type { Manifest } from '../../manifest/schema/manifest.ts';
import { unpackEspContent } from './esp-content.ts';
import { loaderEntries } from './loader-entry.ts';

/** One file for the ESP, as it lies on this machine. */
export interface EspFile {
  readonly path: string;
  readonly localFile: string;
  readonly digest: Digest;
  readonly bytes: number;
}

/** Everything for the ESP. */
export interface DesiredEsp {
  readonly files: readonly EspFile[];
  /** Path of the entry that is started by default. */
  readonly entry: string;
}

/**
 * Lays out the files in a folder that exists while `use` runs.
 * @param archivePath the image's archive of ESP content
 */
export async function withDesiredEsp<T>(
  archivePath: string,
  manifest: Manifest,
  rootUuid: string,
  use: (desired: DesiredEsp) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'iguana-esp-'));
  try {
    const paths = await unpackEspContent(archivePath, folder);
    const entries = loaderEntries(paths, manifest, rootUuid);
    for (const { path, text } of entries) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const all = [...new Set([...paths, ...entries.map(({ path }) => path)])].sort();
    const files: EspFile[] = [];
    for (const path of all) {
      const localFile = join(folder, path);
      const { size: bytes } = await stat(localFile);
      files.push({ path, localFile, digest: await digestOfFile(localFile), bytes });
    }
    // systemd-boot takes the newest version, which sorts last.
    return await use({ files, entry: entries.at(-1)?.path ?? '' });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
