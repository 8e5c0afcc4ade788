/** Cuts a stream of raw bytes into chunks and the zeros between them. */
import { BLOCK_BYTES } from '../format/limits.ts';
import { type BoundaryRule, byFileEndOrContent, type ChunkSizes } from './chunking.ts';

/** Raw bytes of one chunk. */
export interface RawChunk {
  /** Bytes from the start of the part. */
  readonly offset: number;
  readonly bytes: Buffer;
}

const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** Puts blocks together until a boundary. */
class Cutter {
  readonly #sizes: ChunkSizes;
  readonly #isBoundary: BoundaryRule;
  #pieces: Buffer[] = [];
  #offset = 0;
  #length = 0;
  /** Bytes of zeros behind the chunk that is open: part of it only when more comes soon. */
  #zeros = 0;

  constructor(sizes: ChunkSizes, isBoundary: BoundaryRule) {
    this.#sizes = sizes;
    this.#isBoundary = isBoundary;
  }

  /** @returns the chunk that ends before or with this block, if one does */
  *add(at: number, block: Buffer): Generator<RawChunk> {
    const { minBytes, maxBytes } = this.#sizes;
    if (block.equals(block.length === BLOCK_BYTES ? ZEROS : ZEROS.subarray(0, block.length))) {
      if (this.#length === 0) return;
      this.#zeros += block.length;
      if (this.#zeros >= minBytes) yield* this.end();
      return;
    }
    if (this.#length + this.#zeros + block.length > maxBytes) yield* this.end();
    if (this.#length === 0) this.#offset = at;
    else if (this.#zeros > 0) this.#push(Buffer.alloc(this.#zeros));
    this.#zeros = 0;
    this.#push(block);
    if (this.#length >= minBytes && this.#isBoundary(block, this.#sizes)) yield* this.end();
  }

  /** Ends what is open. */
  *end(): Generator<RawChunk> {
    if (this.#length > 0) yield { offset: this.#offset, bytes: Buffer.concat(this.#pieces, this.#length) };
    this.#pieces = [];
    this.#length = 0;
    this.#zeros = 0;
  }

  #push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }
}

/**
 * Cuts a stream. How it comes in pieces does not matter: the same bytes give the same chunks.
 * @param onPiece is given every byte, zeros too, in order
 */
export async function* cut(
  stream: AsyncIterable<Buffer>,
  sizes: ChunkSizes,
  onPiece: (piece: Buffer) => void = () => undefined,
  isBoundary: BoundaryRule = byFileEndOrContent,
): AsyncGenerator<RawChunk> {
  const cutter = new Cutter(sizes, isBoundary);
  let at = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of stream) {
    onPiece(piece);
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    const whole = bytes.length - (bytes.length % BLOCK_BYTES);
    for (let start = 0; start < whole; start += BLOCK_BYTES) {
      yield* cutter.add(at, bytes.subarray(start, start + BLOCK_BYTES));
      at += BLOCK_BYTES;
    }
    rest = bytes.subarray(whole);
  }
  if (rest.length > 0) yield* cutter.add(at, rest);
  yield* cutter.end();
}
