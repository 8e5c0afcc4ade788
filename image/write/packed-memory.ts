/**
 * Memory for what is fetched, used again and again: the kernel clears every page of new memory, and a write fetches hundreds of
 * megabytes. It is moved to a thread with what is in it, and comes back when that is written.
 */

/** More than what is usually fetched at once; only the pages that are used are ever there. */
const PIECE_BYTES = (5 << 20) / 4;
/** Less is not worth a piece. */
const LEAST_BYTES = 128 << 10;

/** Memory of one write. */
export class PackedMemory {
  readonly #free: ArrayBuffer[] = [];
  readonly #most: number;

  /** @param most pieces that are kept while nobody needs them */
  constructor(most: number) {
    this.#most = most;
  }

  /** Lends out so many bytes; who does not give them back costs nothing but their memory. */
  take(bytes: number): Buffer {
    if (bytes < LEAST_BYTES || bytes > PIECE_BYTES) return Buffer.allocUnsafeSlow(bytes);
    const piece = this.#free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES).buffer;
    return Buffer.from(piece, 0, bytes);
  }

  /** Takes back what was lent; everything else is forgotten. */
  giveBack(pieces: readonly ArrayBuffer[]): void {
    for (const piece of pieces)
      if (piece.byteLength === PIECE_BYTES && this.#free.length < this.#most) this.#free.push(piece);
  }
}
