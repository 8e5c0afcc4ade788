/** Reading a whole image where it is, and comparing everything with its digests. Nothing is written. */
import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import type { NumberedChunk } from '../format/chunk-table.ts';
import { BadImage } from '../format/errors.ts';
import type { Image, ImagePart } from '../format/read-image.ts';
import type { BlobDescriptor, ImageSource } from '../source/source.ts';

/** What was compared. */
export interface Verified {
  readonly chunks: number;
  /** Bytes of the packs. */
  readonly packedBytes: number;
  /** Raw bytes of the chunks. */
  readonly rawBytes: number;
}

/** Read at once; at least one chunk. */
const RUN_BYTES = 4 * 2 ** 20;

/**
 * Compares every pack and every chunk with its digest. Memory is bounded, whatever the size.
 * @param image as it was read from the same source
 * @throws BadImage naming the chunk or pack; the source's errors
 */
export async function verifyImage(
  source: ImageSource,
  image: Image,
  options: { readonly onProgress?: (doneBytes: number) => void; readonly signal?: AbortSignal } = {},
): Promise<Verified> {
  const total = { chunks: 0, packedBytes: 0, rawBytes: 0 };
  const packs = new Map(image.parts.flatMap(({ chunks }) => chunks.packs).map((pack) => [pack.digest, pack]));
  for (const pack of packs.values()) {
    const hash = createHash('sha256');
    for (let at = 0; at < pack.sizeBytes; ) {
      const length = Math.min(RUN_BYTES, pack.sizeBytes - at);
      hash.update(await source.range(pack, at, length, options.signal));
      at += length;
      options.onProgress?.(total.packedBytes + at);
    }
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== pack.digest)
      throw new BadImage(`verifying ${source.name}`, 'a pack has other bytes', {
        expected: pack.digest,
        found,
      });
    total.packedBytes += pack.sizeBytes;
  }
  for (const part of image.parts) await verifyPart(source, part, total, options.signal);
  return total;
}

async function verifyPart(
  source: ImageSource,
  part: ImagePart,
  total: { chunks: number; rawBytes: number },
  signal?: AbortSignal,
): Promise<void> {
  const { chunks } = part;
  const order = Array.from({ length: chunks.count }, (_, index) => chunks.at(index)).sort(
    (a, b) => a.pack - b.pack || a.packedOffset - b.packedOffset,
  );
  for (const run of runsOf(order)) {
    const [first] = run;
    const last = run.at(-1);
    const pack = chunks.packs[first?.pack ?? 0];
    if (!first || !last || !pack) continue;
    const length = last.packedOffset + last.packedLength - first.packedOffset;
    const bytes = await source.range(pack, first.packedOffset, length, signal);
    for (const chunk of run) {
      const start = chunk.packedOffset - first.packedOffset;
      checkChunk(`verifying ${part.name} of ${source.name}`, chunk, {
        pack,
        bytes: bytes.subarray(start, start + chunk.packedLength),
      });
      total.chunks += 1;
      total.rawBytes += chunk.length;
    }
  }
}

/** Neighbours in one pack, until they are enough to be read at once. */
function* runsOf(chunks: readonly NumberedChunk[]): Generator<NumberedChunk[]> {
  let run: NumberedChunk[] = [];
  for (const chunk of chunks) {
    const [first] = run;
    const last = run.at(-1);
    const fits =
      first &&
      last &&
      first.pack === chunk.pack &&
      chunk.packedOffset <= last.packedOffset + last.packedLength &&
      chunk.packedOffset + chunk.packedLength - first.packedOffset <= RUN_BYTES;
    if (first && !fits) {
      yield run;
      run = [];
    }
    run.push(chunk);
  }
  if (run.length > 0) yield run;
}

function checkChunk(
  doing: string,
  { index, offset, length, sha256 }: NumberedChunk,
  { pack, bytes }: { readonly pack: BlobDescriptor; readonly bytes: Buffer },
): void {
  const what = `chunk ${index} at byte ${offset}, from pack ${pack.digest},`;
  let raw: Buffer;
  try {
    raw = zstdDecompressSync(bytes, { maxOutputLength: length });
  } catch (cause) {
    throw new BadImage(doing, `${what} does not decompress to its ${length} bytes`, { cause });
  }
  const found = createHash('sha256').update(raw).digest('hex');
  if (raw.length !== length || found !== sha256)
    throw new BadImage(doing, `${what} has other bytes`, { expected: sha256, found });
}
