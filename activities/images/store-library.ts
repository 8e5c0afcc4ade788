/** The store of this host as a library. */
import { digestOfFile } from '../../image/digest.ts';
import { errorCode } from '../../image/io-error.ts';
import { NotFound, WrongContent } from '../../image/source/errors.ts';
import { blobPath, LayoutSource } from '../../image/transfer/layout-source.ts';
import type { ImageLibrary } from './library.ts';

/** @param folder of the store */
export function storeLibrary(folder: string): ImageLibrary {
  return {
    name: folder,
    open: (digest) => new LayoutSource({ kind: 'layout', folder, digest }),
    async file(source, blob) {
      const path = blobPath(folder, blob);
      const task = { doing: `reading ${path}`, source: source.name, blob: blob.digest };
      const found = await digestOfFile(path).catch((cause: unknown) => {
        if (errorCode(cause) !== 'ENOENT') throw cause;
        throw new NotFound(task, 'it is not there', { cause });
      });
      if (found !== blob.digest)
        throw new WrongContent(task, 'it is damaged', { expected: blob.digest, found });
      return path;
    },
  };
}
