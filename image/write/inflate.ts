/** Decompresses chunks into memory that is there already. */
import { constants, createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { MAX_WINDOW_BYTES, maxBlocks } from '../format/limits.ts';
import { zstdFrame } from '../format/zstd-frame.ts';

const params = { [constants.ZSTD_d_windowLogMax]: Math.log2(MAX_WINDOW_BYTES) };

/**
 * What Node's own zstdDecompressSync() is made of (lib/zlib.js, processChunkSync): not documented, and the only way to say where
 * the output shall go. Through the public call every chunk costs a decompressor, a buffer, its page faults, its garbage collection
 * and a copy: twice the CPU time. Where a Node has it no more, the public call is used.
 */
interface ZstdHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Buffer,
    outputOffset: number,
    outputLength: number,
  ): void;
  reset(): void;
  close(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

interface Decompressor {
  readonly handle: ZstdHandle;
  /** Room left in the output, and bytes left of the input. */
  readonly state: Uint32Array;
}

/** A decompressor that is used again and again. */
export class Inflater {
  #decompressor: Decompressor | undefined;
  #failure: string | undefined;

  /** Whether the output goes where it belongs at once. */
  readonly inPlace: boolean;

  constructor() {
    this.#decompressor = this.#make();
    this.inPlace = this.#decompressor !== undefined;
  }

  /**
   * Decompresses a zstd frame into a buffer of exactly its size. No more memory is taken, whatever the frame holds.
   * @throws Error where the frame is broken or cut off, has fewer bytes or more, or where something follows it
   */
  into(packed: Uint8Array, room: Buffer): void {
    this.#decompress(packed, room);
    // Decoders stop where the output is full: neither of them misses a last block that is empty, or the checksum.
    const { buffer, byteOffset, length } = packed;
    const limits = { maxBlocks: maxBlocks(room.length) };
    if (zstdFrame(Buffer.from(buffer, byteOffset, length), limits)?.length !== length)
      throw new Error(
        'it is not one whole zstd frame: its end is missing, something follows it, or it has too many blocks',
      );
  }

  #decompress(packed: Uint8Array, room: Buffer): void {
    if (!this.inPlace) {
      const raw = zstdDecompressSync(packed, {
        maxOutputLength: room.length,
        chunkSize: room.length,
        params,
      });
      if (raw.copy(room) !== room.length) throw new Error(`it has only ${raw.length} bytes`);
      return;
    }
    this.#decompressor ??= this.#make();
    if (!this.#decompressor) throw new Error('there is no decompressor');
    const { handle, state } = this.#decompressor;
    this.#failure = undefined;
    handle.writeSync(constants.ZSTD_e_end, packed, 0, packed.length, room, 0, room.length);
    if (this.#failure !== undefined) {
      handle.close();
      this.#decompressor = undefined;
      throw new Error(this.#failure);
    }
    handle.reset();
    const [left = room.length, following = packed.length] = state;
    if (left > 0) throw new Error(`it has only ${room.length - left} bytes`);
    // A frame whose last byte found no room is not used up, nor is what comes after a frame.
    if (following > 0) throw new Error(`it has more than ${room.length} bytes, or something follows it`);
  }

  #make(): Decompressor | undefined {
    const stream: object = createZstdDecompress({ params });
    if (!hasHandle(stream)) return undefined;
    const { _handle: handle, _writeState: state } = stream;
    // Node's own would destroy the stream, which is nobody's.
    handle.onerror = (message) => {
      this.#failure = message;
    };
    return { handle, state };
  }
}

function hasHandle(stream: object): stream is { _handle: ZstdHandle; _writeState: Uint32Array } {
  if (!('_handle' in stream) || !('_writeState' in stream)) return false;
  const { _handle: handle, _writeState: state } = stream;
  return (
    typeof handle === 'object' &&
    handle !== null &&
    ['writeSync', 'reset', 'close'].every((name) => typeof Reflect.get(handle, name) === 'function') &&
    state instanceof Uint32Array
  );
}
