/** The ESP content of an image, unpacked. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { espFiles } from '../../store/esp-archive.ts';
import { imageFailure } from '../images/failures.ts';

/**
 * Unpacks the archive of ESP content.
 * @param folder empty folder of this machine
 * @returns paths of the files, relative, sorted
 * @throws failure `ImageCorrupt` where the archive breaks the rules of {@link espFiles}
 */
export async function unpackEspContent(archive: string, folder: string): Promise<string[]> {
  const paths: string[] = [];
  try {
    for await (const { path, content } of espFiles(archive)) {
      const place = join(folder, path);
      await mkdir(dirname(place), { recursive: true });
      await pipeline(content, createWriteStream(place));
      paths.push(path);
    }
  } catch (error) {
    throw imageFailure(error, 'installing the boot loader') ?? error;
  }
  return paths.sort();
}
