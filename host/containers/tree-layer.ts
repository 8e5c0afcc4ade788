/** Layers of a few files of our own. */
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { EPOCH_SECONDS } from './debian.ts';

/** A file in the container, with where its content comes from. */
export interface LayerFile {
  /** Absolute path in the container. */
  readonly path: string;
  readonly source:
    | { readonly file: string }
    | { readonly content: string | Uint8Array }
    /** A symbolic link, with where it points. */
    | { readonly link: string };
  /** Default 0644. */
  readonly mode?: number;
}

/** Writes a layer of these files, owned by root, in the order of their paths: the same files give the same archive. */
export async function makeTreeLayer(files: readonly LayerFile[], path: string): Promise<void> {
  const archive = pack();
  const mtime = new Date(EPOCH_SECONDS * 1000);
  const folders = new Set(files.flatMap((file) => parents(file.path)));
  const fill = async (): Promise<void> => {
    for (const name of [...folders].toSorted())
      archive.entry({ name: `${name}/`, type: 'directory', mode: 0o755, mtime });
    for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
      const name = file.path.slice(1);
      if ('link' in file.source) {
        archive.entry({ name, type: 'symlink', linkname: file.source.link, mtime });
        continue;
      }
      const content =
        'file' in file.source ? await readFile(file.source.file) : Buffer.from(file.source.content);
      archive.entry({ name, mode: file.mode ?? 0o644, mtime }, content);
    }
    archive.finalize();
  };
  fill().catch((error: Error) => archive.destroy(error));
  await pipeline(Readable.from(archive), createWriteStream(path));
}

/** The folders above a path that no lower layer is sure to have; without the first slash. */
function parents(path: string): string[] {
  const folder = dirname(path);
  return folder === '/' || folder === '/usr' ? [] : [...parents(folder), folder.slice(1)];
}
