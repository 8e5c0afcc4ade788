/** Reading and writing a disk without its cache, so that what is read was on the disk, and what is written gets there. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errorCode, ImageIoError, TargetTooSmall } from './io-error.ts';

/** The part of WebAssembly's interface that is used: its types come with the browser's, which are not loaded. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (descriptor: { initial: number }) => { readonly buffer: ArrayBuffer } };
};

/** WebAssembly's memory is the only memory in Node that is aligned to pages, as O_DIRECT wants it. */
const WASM_PAGE_BYTES = 64 * 1024;

/** Direct access wants offsets and lengths in whole blocks; 4096 suits every disk. */
export const BLOCK_BYTES = 4096;

/**
 * A buffer that direct access accepts.
 * @param bytes a multiple of 64 KiB
 */
export function alignedBuffer(bytes: number): Buffer {
  return Buffer.from(new WebAssembly.Memory({ initial: bytes / WASM_PAGE_BYTES }).buffer);
}

/** A file or block device, read and written in chunks at any offset. */
export class DirectFile {
  readonly path: string;
  #direct: FileHandle | undefined;
  readonly #buffered: FileHandle;

  private constructor(path: string, direct: FileHandle | undefined, buffered: FileHandle) {
    this.path = path;
    this.#direct = direct;
    this.#buffered = buffered;
  }

  /**
   * @param access `r` or `r+`
   * @throws ImageIoError
   */
  static async open(path: string, access: 'r' | 'r+'): Promise<DirectFile> {
    const flags = access === 'r' ? constants.O_RDONLY : constants.O_RDWR;
    const buffered = await attempt(`opening ${path}`, () => open(path, flags));
    try {
      return new DirectFile(path, await openDirect(path, flags), buffered);
    } catch (error) {
      await buffered.close();
      throw error;
    }
  }

  /**
   * Reads exactly `length` bytes into the start of `buffer`, which must have room for whole blocks.
   * @throws TargetTooSmall where the file ends before; ImageIoError
   */
  async read(buffer: Buffer, length: number, position: number): Promise<Buffer> {
    // A whole block is asked for even where less is wanted: a part of one cannot be read past the cache.
    const asked = Math.min(Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES, buffer.length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.#transfer('reading', asked - done, position + done, (handle) =>
        handle.read(buffer, done, asked - done, position + done),
      );
      if (bytesRead === 0)
        throw new TargetTooSmall(`reading ${this.path}: it ends at byte ${position + done}`);
      done += bytesRead;
    }
    return buffer.subarray(0, length);
  }

  /**
   * Writes all of `data`; `flush` makes it last.
   * @throws TargetTooSmall where the device ends before; ImageIoError
   */
  async write(data: Buffer, position: number): Promise<void> {
    for (let done = 0; done < data.length; ) {
      const left = data.length - done;
      const { bytesWritten } = await this.#transfer('writing', left, position + done, (handle) =>
        handle.write(data, done, left, position + done),
      );
      if (bytesWritten === 0)
        throw new TargetTooSmall(`writing ${this.path}: nothing is accepted at byte ${position + done}`);
      done += bytesWritten;
    }
  }

  /**
   * Whether there are `length` bytes; a device tells its size only by reading its end.
   * @throws ImageIoError
   */
  async hasSize(length: number): Promise<boolean> {
    const { bytesRead } = await attempt(`reading ${this.path} at byte ${length - 1}`, () =>
      this.#buffered.read(Buffer.alloc(1), 0, 1, length - 1),
    );
    return bytesRead > 0;
  }

  /** @throws TargetTooSmall where there are no `length` bytes; ImageIoError */
  async requireSize(length: number): Promise<void> {
    if (await this.hasSize(length)) return;
    const found = await this.#sizeBelow(length);
    throw new TargetTooSmall(
      `opening ${this.path}: it is too small: expected ${length} bytes or more, found ${found}; name a larger one, or pack a smaller image`,
    );
  }

  /** @param most that there are not */
  async #sizeBelow(most: number): Promise<number> {
    let [there, missing] = [0, most];
    while (missing - there > 1) {
      const middle = Math.floor((there + missing) / 2);
      if (await this.hasSize(middle)) there = middle;
      else missing = middle;
    }
    return there;
  }

  /**
   * Whether whole blocks go past the cache. Some filesystems accept the flag and refuse to be read, so one block is.
   * @throws ImageIoError
   */
  async isDirect(): Promise<boolean> {
    const block = alignedBuffer(WASM_PAGE_BYTES);
    await this.#transfer('reading', BLOCK_BYTES, 0, (handle) => handle.read(block, 0, BLOCK_BYTES, 0));
    return this.#direct !== undefined;
  }

  /**
   * Returns when everything written is on the disk: direct access leaves it in the disk's own cache.
   * @throws ImageIoError
   */
  async flush(): Promise<void> {
    await attempt(`flushing ${this.path}`, () => this.#buffered.datasync());
  }

  async close(): Promise<void> {
    await this.#direct?.close();
    await this.#buffered.close();
  }

  async #transfer<T>(
    verb: string,
    length: number,
    position: number,
    action: (handle: FileHandle) => Promise<T>,
  ): Promise<T> {
    const isAligned = length % BLOCK_BYTES === 0 && position % BLOCK_BYTES === 0;
    return await attempt(`${verb} ${this.path} at byte ${position}`, async () => {
      if (!isAligned || !this.#direct) return await action(this.#buffered);
      try {
        return await action(this.#direct);
      } catch (error) {
        // Some filesystems accept the flag and refuse the first access.
        if (errorCode(error) !== 'EINVAL') throw error;
        // Others that are under way fail the same: the first one closes it.
        const refused = this.#direct;
        this.#direct = undefined;
        await refused?.close();
        return await action(this.#buffered);
      }
    });
  }
}

/** @returns undefined on filesystems without direct access, e.g. older tmpfs */
async function openDirect(path: string, flags: number): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags | constants.O_DIRECT);
  } catch (error) {
    if (errorCode(error) === 'EINVAL') return undefined;
    throw new ImageIoError(`opening ${path} for direct access`, error);
  }
}

async function attempt<T>(doing: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new ImageIoError(doing, error);
  }
}
