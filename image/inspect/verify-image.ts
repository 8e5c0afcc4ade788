/** Reading a whole image where it is, and comparing everything with its digests. Nothing is written. */
import { createHash, type Hash } from 'node:crypto';
import type { ChunkTable, NumberedChunk } from '../format/chunk-table.ts';
import { BadImage } from '../format/errors.ts';
import type { Image, ImagePart } from '../format/read-image.ts';
import type { ImageSource } from '../source/source.ts';
import { Fetcher } from '../write/fetcher.ts';
import { Inflater } from '../write/inflate.ts';
import { type Packed, packedBytesOf } from '../write/packed.ts';
import { PackHashes } from './pack-hashes.ts';

/** What was compared. */
export interface Verified {
  readonly chunks: number;
  /** Bytes of the packs. */
  readonly packedBytes: number;
  /** Raw bytes of the chunks. */
  readonly rawBytes: number;
}

/** How an image is verified. */
export interface VerifyOptions {
  /** Told the bytes of the packs that are compared. */
  readonly onProgress?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** Read at once; at least one chunk. */
const BATCH_BYTES = 4 * 2 ** 20;
/** Each may need a request of its own, in a pack that is in another order than the disk. */
const BATCH_CHUNKS = 256;

/**
 * Compares every chunk, every pack, and each part as a whole with its digest. Memory is bounded, whatever the size.
 * @param image as it was read from the same source
 * @throws BadImage naming the chunk, pack or part; ChunksNotRead; the source's errors
 */
export async function verifyImage(
  source: ImageSource,
  image: Image,
  { onProgress = () => undefined, signal }: VerifyOptions = {},
): Promise<Verified> {
  const packs = new PackHashes(
    image.parts.flatMap(({ chunks }) => chunks.packs),
    onProgress,
  );
  for (const part of image.parts) await verifyPart(source, part, packs, signal);
  const count = (of: (part: ImagePart) => number) => image.parts.reduce((sum, part) => sum + of(part), 0);
  return {
    packedBytes: await packs.finish(source, signal),
    chunks: count(({ chunks }) => chunks.count),
    rawBytes: count(({ dataBytes }) => dataBytes),
  };
}

async function verifyPart(
  source: ImageSource,
  { name, chunks, sizeBytes, digest }: ImagePart,
  packs: PackHashes,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const doing = `verifying ${name} of ${source.name}`;
  const fetcher = new Fetcher(source, chunks.packs, { signal });
  const inflater = new Inflater();
  const room = Buffer.allocUnsafeSlow(chunks.maxChunkBytes);
  const hash = createHash('sha256');
  let at = 0;
  for await (const { batch, packed } of fetched(fetcher, batchesOf(chunks))) {
    signal.throwIfAborted();
    hashPacks(packs, chunks, packed);
    for (const chunk of batch) {
      hashZeros(hash, chunk.offset - at);
      const raw = room.subarray(0, chunk.length);
      inflate(`${doing}: ${named(chunk, chunks)}`, chunk, { inflater, packed, raw });
      hash.update(raw);
      at = chunk.offset + chunk.length;
    }
  }
  hashZeros(hash, sizeBytes - at);
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== digest)
    throw new BadImage(doing, 'every chunk is right, but not the digest of the whole', {
      expected: digest,
      found,
    });
}

/** In the order of the part. */
function* batchesOf(table: ChunkTable): Generator<NumberedChunk[]> {
  let batch: NumberedChunk[] = [];
  let bytes = 0;
  for (const chunk of table.chunks()) {
    if (batch.length > 0 && (bytes + chunk.packedLength > BATCH_BYTES || batch.length >= BATCH_CHUNKS)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(chunk);
    bytes += chunk.packedLength;
  }
  if (batch.length > 0) yield batch;
}

interface FetchedBatch {
  readonly batch: readonly NumberedChunk[];
  readonly packed: Packed;
}

/** While one batch is compared, the next is on its way. */
async function* fetched(
  fetcher: Fetcher,
  batches: Iterable<readonly NumberedChunk[]>,
): AsyncGenerator<FetchedBatch> {
  let ahead: Promise<FetchedBatch> | undefined;
  for (const batch of batches) {
    const next = fetcher.fetch(batch).then((packed) => ({ batch, packed }));
    // Awaited in the next turn; when the one before it fails, that failure is the one to tell.
    next.catch(() => undefined);
    if (ahead) yield await ahead;
    ahead = next;
  }
  if (ahead) yield await ahead;
}

function hashPacks(packs: PackHashes, { packs: named }: ChunkTable, packed: Packed): void {
  for (const { pack, offset, bytes } of packed) {
    const blob = named[pack];
    if (blob) packs.add(blob.digest, offset, bytes);
  }
}

const ZEROS = Buffer.alloc(2 ** 20);

function hashZeros(hash: Hash, length: number): void {
  for (let left = length; left > 0; left -= ZEROS.length) hash.update(ZEROS.subarray(0, left));
}

const named = ({ index, offset, pack }: NumberedChunk, { packs }: ChunkTable): string =>
  `chunk ${index} at byte ${offset}, from pack ${packs[pack]?.digest}`;

/** Fills `raw` with the verified bytes of a chunk. */
function inflate(
  doing: string,
  chunk: NumberedChunk,
  { inflater, packed, raw }: { inflater: Inflater; packed: Packed; raw: Buffer },
): void {
  const { length, sha256 } = chunk;
  const bytes = packedBytesOf(packed, chunk);
  if (!bytes) throw new BadImage(doing, 'it was not among what was fetched');
  try {
    inflater.into(bytes, raw);
  } catch (cause) {
    throw new BadImage(doing, `it does not decompress to its ${length} bytes`, { cause });
  }
  const expected = `sha256:${sha256}`;
  const found = `sha256:${createHash('sha256').update(raw).digest('hex')}`;
  if (found !== expected) throw new BadImage(doing, 'it has other bytes', { expected, found });
}
