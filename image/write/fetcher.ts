/** Fetches the compressed bytes of chunks: neighbours in a pack in one request. */
import { AllSourcesFailed, SourceError } from '../source/errors.ts';
import type { BlobDescriptor, ImageSource, RangeOptions } from '../source/source.ts';
import type { BatchChunk } from './batch.ts';
import { ChunksNotRead } from './errors.ts';
import type { Packed } from './packed.ts';

/** Two ranges with less than this between them are fetched as one: that costs less than another request. */
const MAX_GAP_BYTES = 8 << 10;
/** One request asks for so much at most: memory, and what is lost when it fails. */
const MAX_RANGE_BYTES = 8 << 20;

interface Range {
  readonly pack: number;
  readonly offset: number;
  end: number;
  readonly chunks: BatchChunk[];
}

/** Reads from the packs of one part of an image. */
export class Fetcher {
  readonly #source: ImageSource;
  readonly #packs: readonly BlobDescriptor[];
  readonly #options: RangeOptions;

  /** @param options `signal` ends all requests */
  constructor(source: ImageSource, packs: readonly BlobDescriptor[], options: RangeOptions) {
    this.#source = source;
    this.#packs = packs;
    this.#options = options;
  }

  /**
   * Fetches the bytes of chunks; unverified.
   * @throws ChunksNotRead
   */
  async fetch(chunks: readonly BatchChunk[]): Promise<Packed> {
    return await Promise.all(
      rangesOf(chunks).map(async (range) => {
        const { pack, offset, end } = range;
        try {
          const data = await this.#source.range(this.#pack(pack), offset, end - offset, this.#options);
          return { pack, offset, bytes: ownBytes(data) };
        } catch (error) {
          throw notRead(range, error);
        }
      }),
    );
  }

  /**
   * Fetches chunks again that were wrong, from elsewhere.
   * @returns undefined where there is no other place for one of them
   */
  async fetchElsewhere(chunks: readonly BatchChunk[]): Promise<Packed | undefined> {
    const isElsewhere = chunks.every(({ pack, packedOffset, packedLength }) =>
      this.#source.reject(this.#pack(pack), packedOffset, packedLength),
    );
    return isElsewhere ? await this.fetch(chunks) : undefined;
  }

  #pack(index: number): BlobDescriptor {
    const pack = this.#packs[index];
    // A verified table names only packs that it has.
    if (!pack) throw new RangeError(`pack ${index} of an image with ${this.#packs.length}`);
    return pack;
  }
}

/** Bytes that can be moved to another thread: at the start of memory that nothing else lies in, as Node's own pool of small buffers does. */
function ownBytes(data: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = data;
  const isOwn = byteOffset === 0 && buffer.byteLength !== Buffer.poolSize;
  return buffer instanceof ArrayBuffer && isOwn
    ? new Uint8Array(buffer, 0, byteLength)
    : new Uint8Array(data);
}

/** What a source says names a range of a pack: which chunks that is, it cannot know. */
function notRead({ chunks }: Range, error: unknown): unknown {
  const isOfSource = error instanceof SourceError || error instanceof AllSourcesFailed;
  const [first, ...others] = chunks.toSorted((a, b) => a.offset - b.offset);
  return isOfSource && first ? new ChunksNotRead(first, others.length, error) : error;
}

function rangesOf(chunks: readonly BatchChunk[]): readonly Range[] {
  const ranges: Range[] = [];
  const byPlace = chunks.toSorted((a, b) => a.pack - b.pack || a.packedOffset - b.packedOffset);
  for (const chunk of byPlace) {
    const { pack, packedOffset: offset, packedLength } = chunk;
    const last = ranges.at(-1);
    const end = offset + packedLength;
    // Equal chunks share one place.
    if (last?.pack === pack && offset - last.end <= MAX_GAP_BYTES && end - last.offset <= MAX_RANGE_BYTES) {
      last.end = Math.max(last.end, end);
      last.chunks.push(chunk);
    } else ranges.push({ pack, offset, end, chunks: [chunk] });
  }
  return ranges;
}
