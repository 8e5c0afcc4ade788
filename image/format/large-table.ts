/**
 * Reading a chunk table that is too large for memory, as `decodeTable` reads the others: piece by piece, through files. Neither what is
 * fetched nor what comes out of it is ever in memory.
 */
import { pipeline, Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { ImageIoError } from '../io-error.ts';
import { WrongContent } from '../source/errors.ts';
import type { BlobDescriptor, ImageSource } from '../source/source.ts';
import { onePiece, streamBlob } from '../transfer/blob-stream.ts';
import type { ChunkTable } from './chunk-table.ts';
import type { Part } from './config.ts';
import { checkBlob, checkRaw } from './decode-table.ts';
import { BadImage } from './errors.ts';
import { piecesOf, type TableBytes, TableFile } from './table-bytes.ts';

/** Given to the decompressor at once. */
const SLICE_BYTES = 64 << 10;

/** Where the blob is. */
export interface TableSource {
  readonly source: ImageSource;
  /** Its size has been compared with what is allowed. */
  readonly blob: BlobDescriptor;
  readonly signal: AbortSignal | undefined;
}

/**
 * Fetches, verifies, decompresses and checks a table.
 * @param doing for messages: `reading the chunk table of PART of IMAGE`
 * @throws BadImage; SourceError; TableFileError where the files cannot be kept
 */
export async function readLargeTable(doing: string, from: TableSource, part: Part): Promise<ChunkTable> {
  const blob = await fetched(doing, from);
  let raw: TableFile | undefined;
  try {
    checkBlob(doing, blob, part);
    raw = await TableFile.keep(doing, decompressed(doing, blob, part.table.rawBytes, from.signal));
    return checkRaw(doing, raw, part);
  } catch (error) {
    raw?.close();
    throw error;
  } finally {
    blob.close();
  }
}

async function fetched(doing: string, { source, blob, signal }: TableSource): Promise<TableFile> {
  try {
    return await TableFile.keep(doing, streamBlob(source, blob, signal));
  } catch (error) {
    if (!(error instanceof WrongContent)) throw error;
    // Its pieces may be of several places, and none of them is known to be the wrong one. A whole blob is of one place, and verified
    // for each: it takes memory, but only here.
    return await TableFile.keep(doing, onePiece(await source.blob(blob, signal)));
  }
}

async function* decompressed(
  doing: string,
  blob: TableBytes,
  rawBytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const wrong = (cause?: unknown): BadImage =>
    new BadImage(doing, `it does not decompress to its ${rawBytes} bytes`, { cause });
  const unpack = createZstdDecompress();
  // An error of either ends the other, and comes out of the loop.
  pipeline(Readable.from(copiesOf(blob), { highWaterMark: 1 }), unpack, () => undefined);
  const pieces = unpack[Symbol.asyncIterator]();
  try {
    for (let length = 0; ; ) {
      signal?.throwIfAborted();
      const next = await pieces.next().catch((cause: unknown) => {
        throw cause instanceof ImageIoError ? cause : wrong(cause);
      });
      if (next.done) return;
      length += next.value.length;
      if (length > rawBytes) throw wrong();
      yield next.value;
    }
  } finally {
    unpack.destroy();
  }
}

/** A stream asks for the next piece before it is done with one. */
function* copiesOf(blob: TableBytes): Generator<Buffer> {
  for (const piece of piecesOf(blob, SLICE_BYTES)) yield Buffer.from(piece);
}
