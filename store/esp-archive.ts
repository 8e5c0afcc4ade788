/** The attachment `esp`: a tar archive of what goes onto the EFI system partition, by the rules of docs/image-format.md. */
import { createReadStream } from 'node:fs';
import { extract } from 'tar-stream';
import { BadImage } from '../image/format/errors.ts';
import { ImageIoError } from '../image/io-error.ts';

/** The fallback path that firmware boots from a disk it knows nothing else of (UEFI 2.10, 3.5.1.1). */
export const FALLBACK_LOADER = 'EFI/BOOT/BOOTX64.EFI';

/** A kernel, below `TOKEN/VERSION/`. */
export interface Kernel {
  readonly token: string;
  readonly version: string;
  readonly hasInitrd: boolean;
}

/** A file of the archive. */
export interface EspArchiveFile {
  /** Relative. */
  readonly path: string;
  /** Read by who wants it, before the next file is asked for. */
  readonly content: AsyncIterable<unknown>;
}

/** A name that FAT has as it is (Microsoft FAT specification, 7), and that leads nowhere else: no dot or space at its end. */
const FAT_NAME = /^[^"*:<>?\\|\p{Cc}]*[^"*:<>?\\|\p{Cc}. ]$/u;
/** Of a name, in units of UTF-16, as `length` counts them. */
const MAX_NAME_UNITS = 255;
/** Files and folders. What boots one machine has dozens; the names are held in memory. */
const MAX_ENTRIES = 65_536;

/**
 * The files of an archive, in its order.
 * @throws BadImage where it holds anything but files and folders, a path that leads out of it, or two that FAT takes for one;
 *   ImageIoError
 */
export async function* espFiles(archive: string): AsyncGenerator<EspArchiveFile> {
  const doing = `unpacking the ESP content ${archive}`;
  const names = new EspNames(doing);
  const input = createReadStream(archive);
  const entries = input.pipe(extract());
  // A pipe does not hand errors on.
  input.on('error', (error) => entries.destroy(error));
  const reading = entries[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { value: entry, done } = await reading.next().catch((error: unknown) => {
        if (error instanceof Error && 'syscall' in error) throw new ImageIoError(doing, error);
        throw new BadImage(doing, 'it is no whole tar archive', { cause: error });
      });
      if (done) return;
      const { name, type } = entry.header;
      const isFolder = type === 'directory';
      const path = name.replace(/^\.\//, '').replace(/\/$/, '');
      // `./` itself.
      const isTop = isFolder && (path === '' || path === '.');
      if (!isTop) {
        if ((type !== 'file' && !isFolder) || !isFatPath(path))
          throw new BadImage(doing, `${JSON.stringify(name)} (${type}) does not belong there`, {
            expected: 'files and folders, with relative paths that FAT can have',
          });
        names.add(path, isFolder);
        if (!isFolder) yield { path, content: entry };
      }
      entry.resume();
    }
  } finally {
    await reading.return?.();
    input.destroy();
  }
}

const isFatPath = (path: string): boolean =>
  path.split('/').every((name) => name.length <= MAX_NAME_UNITS && FAT_NAME.test(name));

/** What FAT would have to tell apart. */
class EspNames {
  readonly #doing: string;
  readonly #seen = new Map<string, { readonly path: string; readonly isFolder: boolean }>();

  constructor(doing: string) {
    this.#doing = doing;
  }

  /** @throws BadImage */
  add(path: string, isFolder: boolean): void {
    const parts = path.split('/');
    for (const index of parts.keys()) {
      const isLast = index === parts.length - 1;
      this.#addOne(parts.slice(0, index + 1).join('/'), !isLast || isFolder);
    }
  }

  #addOne(path: string, isFolder: boolean): void {
    const key = path.toLowerCase();
    const other = this.#seen.get(key);
    // A folder comes again with all that is in it.
    if (other && isFolder && other.isFolder && other.path === path) return;
    if (other)
      throw new BadImage(
        this.#doing,
        `${path} and ${other.path} are the same on the ESP, whose names FAT keeps`,
      );
    if (this.#seen.size === MAX_ENTRIES)
      throw new BadImage(this.#doing, 'it holds too much', {
        expected: `at most ${MAX_ENTRIES} files and folders`,
      });
    this.#seen.set(key, { path, isFolder });
  }
}

/** @param files paths of an archive */
export function findKernels(files: readonly string[]): Kernel[] {
  const known = new Set(files);
  return files.flatMap((path) => {
    const [, token, version] = /^([^/]+)\/([^/]+)\/linux$/.exec(path) ?? [];
    if (token === undefined || version === undefined) return [];
    return [{ token, version, hasInitrd: known.has(`${token}/${version}/initrd.img`) }];
  });
}
