/** Reading and writing a disk without its cache, so that what is read was on the disk, and what is written gets there. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CHUNK_BYTES } from './chunk-table.ts';

/** The part of WebAssembly's interface that is used: its types come with the browser's, which are not loaded. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (descriptor: { initial: number }) => { readonly buffer: ArrayBuffer } };
};

/** WebAssembly's memory is the only memory in Node that is aligned to pages, as O_DIRECT wants it. */
const WASM_PAGE_BYTES = 64 * 1024;

/** Direct access wants offsets and lengths in whole blocks; 4096 suits every disk. */
const BLOCK_BYTES = 4096;

/** A buffer of one chunk that direct access accepts. */
export function alignedBuffer(): Buffer {
  return Buffer.from(new WebAssembly.Memory({ initial: CHUNK_BYTES / WASM_PAGE_BYTES }).buffer);
}

/** A file or block device, read and written in chunks at any offset. */
export class DirectFile {
  readonly path: string;
  readonly #direct: FileHandle | undefined;
  readonly #buffered: FileHandle;

  private constructor(path: string, direct: FileHandle | undefined, buffered: FileHandle) {
    this.path = path;
    this.#direct = direct;
    this.#buffered = buffered;
  }

  /** @param access `r` or `r+` */
  static async open(path: string, access: 'r' | 'r+'): Promise<DirectFile> {
    const flags = access === 'r' ? constants.O_RDONLY : constants.O_RDWR;
    const buffered = await open(path, flags);
    try {
      return new DirectFile(path, await openDirect(path, flags), buffered);
    } catch (error) {
      await buffered.close();
      throw error;
    }
  }

  /**
   * Reads exactly `length` bytes into the start of `buffer`.
   * @throws Error where the file ends before
   */
  async read(buffer: Buffer, length: number, position: number): Promise<Buffer> {
    const handle = this.#handle(length, position);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
      if (bytesRead === 0) throw new Error(`reading ${this.path}: it ends at byte ${position + done}`);
      done += bytesRead;
    }
    return buffer.subarray(0, length);
  }

  /** Writes all of `data`; `flush` makes it last. */
  async write(data: Buffer, position: number): Promise<void> {
    const handle = this.#handle(data.length, position);
    for (let done = 0; done < data.length; ) {
      const { bytesWritten } = await handle.write(data, done, data.length - done, position + done);
      if (bytesWritten === 0)
        throw new Error(`writing ${this.path}: nothing is accepted at byte ${position + done}`);
      done += bytesWritten;
    }
  }

  /** Returns when everything written is on the disk: direct access leaves it in the disk's own cache. */
  async flush(): Promise<void> {
    await this.#buffered.datasync();
  }

  async close(): Promise<void> {
    await this.#direct?.close();
    await this.#buffered.close();
  }

  /** The last chunk of an image may be no whole number of blocks. */
  #handle(length: number, position: number): FileHandle {
    const isAligned = length % BLOCK_BYTES === 0 && position % BLOCK_BYTES === 0;
    return isAligned && this.#direct ? this.#direct : this.#buffered;
  }
}

/** @returns undefined on filesystems without direct access, e.g. older tmpfs */
async function openDirect(path: string, flags: number): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags | constants.O_DIRECT);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EINVAL') return undefined;
    throw error;
  }
}
