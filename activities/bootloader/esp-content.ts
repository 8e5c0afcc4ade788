/** The ESP content of an image, unpacked. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { failure } from '../failures.ts';

/** A relative path without parts that lead elsewhere. */
const SAFE_PATH = /^(?!\/)(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\0]+$/;

/**
 * Unpacks the archive of ESP content.
 * @param folder empty folder of this machine
 * @returns paths of the files, relative, sorted
 * @throws failure `ImageCorrupt` where the archive holds anything but files and folders, or a path that leads out of it
 */
export async function unpackEspContent(archive: Readable, folder: string): Promise<string[]> {
  const paths: string[] = [];
  const entries = archive.pipe(extract());
  // A pipe does not hand errors on.
  archive.once('error', (error) => entries.destroy(error));
  for await (const entry of entries) {
    const { name, type } = entry.header;
    const path = name.replace(/^\.\//, '').replace(/\/$/, '');
    if (type === 'directory') {
      entry.resume();
      continue;
    }
    if (type !== 'file' || !SAFE_PATH.test(path)) {
      throw failure('ImageCorrupt', `unpacking the ESP content: ${name} (${type}) does not belong there`);
    }
    const place = join(folder, path);
    await mkdir(dirname(place), { recursive: true });
    await pipeline(entry, createWriteStream(place));
    paths.push(path);
  }
  return paths.sort();
}
