/** Packs one part: its chunks into packs, and the table of where they are. */
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync } from 'node:zlib';
import { digestOf } from '../digest.ts';
import { type Chunk, encodeTable } from '../format/chunk-table.ts';
import type { Part } from '../format/config.ts';
import { checkTable } from '../format/decode-table.ts';
import { BLOCK_BYTES } from '../format/limits.ts';
import type { BlobDescriptor } from '../source/source.ts';
import { onePiece } from '../transfer/blob-stream.ts';
import type { LayoutTarget } from '../transfer/layout-target.ts';
import { chunkSizesFor } from './chunking.ts';
import { cut } from './cut.ts';
import { type Frame, framesOf } from './frames.ts';
import type { ImageInput } from './input.ts';

/** What a part is, and where its bytes are. */
export interface PartInput {
  readonly name: string;
  readonly kind: Part['kind'];
  readonly filesystem?: string;
  readonly input: ImageInput;
}

/** How a part is packed. */
export interface PackSettings {
  /** Of zstd, 1 to 19. */
  readonly level: number;
  /** Told the raw bytes that are packed. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A part, and the packs that it brought. */
export interface PackedPart {
  readonly part: Part;
  readonly packs: readonly BlobDescriptor[];
}

/** Tables are mostly digests: more effort makes them no smaller. */
const TABLE_LEVEL = 3;
/** Packs are few enough for a manifest, and small enough to be sent side by side and again. */
const SMALLEST_PACK = 64 * 2 ** 20;
const AIMED_PACKS = 2 ** 12;

/**
 * Writes packs and table into the folder.
 * @throws BadImage for an image beyond the limits of the format: nobody could read it
 */
export async function packPart(
  target: LayoutTarget,
  { input, ...about }: PartInput,
  settings: PackSettings,
): Promise<PackedPart> {
  const { sizeBytes: expected } = input;
  const sizes = chunkSizesFor(expected);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const raw = cut(input.read(settings.signal), sizes, (piece) => {
    hash.update(piece);
    sizeBytes += piece.length;
    settings.onProgress?.(sizeBytes, expected);
  });
  const packBytes = Math.max(SMALLEST_PACK, Math.ceil(expected / AIMED_PACKS));
  const packer = new Packer(target, packBytes);
  await packer.run(framesOf(raw, settings.level, new Set()), settings.signal);
  const { chunks, packs } = packer;
  const dataBytes = chunks.reduce((sum, { length }) => sum + length, 0);
  const maxChunkBytes = chunks.reduce((most, { length }) => Math.max(most, length), 0);
  const table = encodeTable({ blockBytes: BLOCK_BYTES, maxChunkBytes, sizeBytes, dataBytes }, packs, chunks);
  checkTable(`packing ${input.name}: its chunk table`, table, { sizeBytes, dataBytes });
  const blob = zstdCompressSync(table, { params: { [constants.ZSTD_c_compressionLevel]: TABLE_LEVEL } });
  const descriptor = { digest: digestOf(blob), sizeBytes: blob.length };
  await target.put(descriptor, () => onePiece(blob));
  return {
    packs,
    part: {
      ...about,
      sizeBytes,
      blockBytes: BLOCK_BYTES,
      digest: `sha256:${hash.digest('hex')}`,
      dataBytes,
      table: { ...descriptor, rawBytes: table.length },
    },
  };
}

/** Fills one pack after the other. */
class Packer {
  readonly chunks: Chunk[] = [];
  readonly packs: BlobDescriptor[] = [];
  readonly #places = new Map<string, Pick<Chunk, 'pack' | 'packedOffset' | 'packedLength'>>();
  readonly #target: LayoutTarget;
  readonly #packBytes: number;

  constructor(target: LayoutTarget, packBytes: number) {
    this.#target = target;
    this.#packBytes = packBytes;
  }

  async run(frames: AsyncGenerator<Frame>, signal?: AbortSignal): Promise<void> {
    let next = await frames.next();
    try {
      while (!next.done) {
        const fill = async function* (this: Packer): AsyncGenerator<Buffer> {
          let filled = 0;
          while (!next.done && filled < this.#packBytes) {
            signal?.throwIfAborted();
            const { packed } = next.value;
            this.#place(next.value, filled);
            if (packed) yield packed;
            filled += packed?.length ?? 0;
            next = await frames.next();
          }
        };
        const pack = await this.#target.putNew(fill.call(this));
        if (pack.sizeBytes > 0) this.packs.push(pack);
      }
    } finally {
      await frames.return(undefined);
    }
  }

  #place({ offset, length, sha256, packed }: Frame, packedOffset: number): void {
    const place =
      packed === undefined
        ? this.#places.get(sha256)
        : { pack: this.packs.length, packedOffset, packedLength: packed.length };
    if (!place) throw new Error(`placing chunk ${sha256}: it was said to have a place`);
    this.#places.set(sha256, place);
    this.chunks.push({ offset, length, sha256, ...place });
  }
}
