/** Making parts of a target zero, the fast way where it has one. */
import { alignedBuffer, type DirectFile } from '../direct-file.ts';
import type { Extent } from './batch.ts';
import { HolePuncher } from './hole-puncher.ts';
import { isZero } from './is-zero.ts';

/** Smaller runs of zeros are written with the chunks beside them: asking another process takes longer. */
export const SMALL_ZEROS_BYTES = 1 << 20;

const PIECE_BYTES = 1 << 20;

/** Zeroes extents of one target. */
export class Zeroer {
  readonly #target: DirectFile;
  readonly #puncher: HolePuncher;
  #canPunch = true;
  #piece: Buffer | undefined;

  constructor(target: DirectFile) {
    this.#target = target;
    this.#puncher = new HolePuncher(target.path);
  }

  /**
   * Afterwards the extent reads as zeros.
   * @param options `look`: where nothing can be discarded, only what is not zero is written
   * @throws ImageIoError
   */
  async zero({ offset, length }: Extent, { look = false }: { look?: boolean } = {}): Promise<void> {
    if (this.#canPunch && length >= SMALL_ZEROS_BYTES) {
      // Whatever the reason for a refusal is: writing works, or says better what is wrong.
      this.#canPunch = await this.#puncher.punch({ offset, length });
      if (this.#canPunch) return;
    }
    for (let done = 0; done < length; done += PIECE_BYTES) {
      await this.#zeroPiece({ offset: offset + done, length: Math.min(PIECE_BYTES, length - done) }, look);
    }
  }

  close(): void {
    this.#puncher.close();
  }

  async #zeroPiece({ offset, length }: Extent, look: boolean): Promise<void> {
    this.#piece ??= alignedBuffer(PIECE_BYTES);
    if (look && isZero(await this.#target.read(this.#piece, length, offset))) return;
    await this.#target.write(this.#piece.subarray(0, length).fill(0), offset);
  }
}
