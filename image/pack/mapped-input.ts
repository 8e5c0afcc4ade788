/** An image as its block map says it is. */
import { createHash, type Hash } from 'node:crypto';
import { type BlockMap, type MappedRange, wrongMap } from './bmap.ts';
import type { ImageInput } from './input.ts';

/**
 * The input with zeros for everything that its map leaves out, and the rest compared with the map's checksums.
 *
 * A map without checksums could be of another image of the same size, and nothing would show it: such a map may leave out only
 * what is zero anyway. It is refused and not only warned of, since what it would lose is lost in every copy of the image.
 * @throws BadInput for a map of an image of another size; while it is read, where a checksum is wrong, or data would be lost
 */
export function withBmap(input: ImageInput, map: BlockMap): ImageInput {
  const doing = `comparing ${input.name} with its block map ${map.path}`;
  if (input.sizeBytes !== map.sizeBytes)
    throw wrongMap(
      doing,
      `the map is of an image of ${map.sizeBytes} bytes, this one has ${input.sizeBytes}`,
    );
  return {
    name: input.name,
    sizeBytes: input.sizeBytes,
    blockMap: map.path,
    async *read(signal) {
      const mask = new Mask(doing, map);
      for await (const piece of input.read(signal)) yield mask.apply(piece);
    },
  };
}

/** Follows the map along a stream. */
class Mask {
  readonly #doing: string;
  readonly #ranges: readonly MappedRange[];
  /** Whether its checksums show that the map is of this image. */
  readonly #proves: boolean;
  #at = 0;
  #next = 0;
  #hash: Hash = createHash('sha256');

  constructor(doing: string, { ranges }: BlockMap) {
    this.#doing = doing;
    this.#ranges = ranges;
    this.#proves = ranges.every(({ sha256 }) => sha256 !== undefined);
  }

  /** @throws BadInput where a range that ends in this piece is not what the map says, or what is left out cannot be */
  apply(piece: Buffer): Buffer {
    const end = this.#at + piece.length;
    const masked = Buffer.alloc(piece.length);
    for (let range = this.#ranges[this.#next]; range && range.start < end; range = this.#ranges[this.#next]) {
      const from = Math.max(range.start, this.#at) - this.#at;
      const to = Math.min(range.end, end) - this.#at;
      const bytes = piece.subarray(from, to);
      bytes.copy(masked, from);
      this.#hash.update(bytes);
      if (range.end > end) break;
      this.#compare(range);
      this.#next += 1;
    }
    if (!this.#proves && !masked.equals(piece)) {
      const lost = this.#at + piece.findIndex((byte, index) => byte !== masked[index]);
      throw wrongMap(
        this.#doing,
        `the map has no checksums, and leaves out byte ${lost}, which is not zero: it may be of another image`,
      );
    }
    this.#at = end;
    return masked;
  }

  #compare({ start, end, sha256 }: MappedRange): void {
    const found = this.#hash.digest('hex');
    this.#hash = createHash('sha256');
    if (sha256 !== undefined && sha256.toLowerCase() !== found)
      throw wrongMap(this.#doing, `bytes ${start} to ${end}: expected SHA-256 ${sha256}, found ${found}`);
  }
}
