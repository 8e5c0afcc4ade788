/**
 * Reading a chunk table that is too large for memory, as `decodeTable` reads the others: piece by piece, through files. Neither what is
 * fetched nor what comes out of it is ever in memory.
 */
import { Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { WrongContent } from '../source/errors.ts';
import type { BlobDescriptor, ImageSource } from '../source/source.ts';
import { streamBlob } from '../transfer/blob-stream.ts';
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
 * @throws BadImage; SourceError; ImageIoError where the files cannot be kept
 */
export async function readLargeTable(doing: string, from: TableSource, part: Part): Promise<ChunkTable> {
  const blob = await fetched(doing, from);
  checkBlob(doing, blob, part);
  return checkRaw(doing, await TableFile.keep(doing, decompressed(doing, blob, part.table.rawBytes)), part);
}

async function fetched(doing: string, { source, blob, signal }: TableSource): Promise<TableBytes> {
  for (;;) {
    try {
      return await TableFile.keep(doing, streamBlob(source, blob, signal));
    } catch (error) {
      // Another place may have it right.
      const isElsewhere = error instanceof WrongContent && source.reject(blob, 0, 1);
      if (!isElsewhere) throw error;
    }
  }
}

async function* decompressed(doing: string, blob: TableBytes, rawBytes: number): AsyncGenerator<Buffer> {
  const wrong = (cause?: unknown): BadImage =>
    new BadImage(doing, `it does not decompress to its ${rawBytes} bytes`, { cause });
  let length = 0;
  const pieces = Readable.from(copiesOf(blob), { highWaterMark: 1 })
    .compose(createZstdDecompress())
    [Symbol.asyncIterator]();
  for (;;) {
    const next = await pieces.next().catch((cause: unknown) => Promise.reject(wrong(cause)));
    if (next.done) return;
    length += next.value.length;
    if (length > rawBytes) throw wrong();
    yield next.value;
  }
}

/** A stream asks for the next piece before it is done with one. */
function* copiesOf(blob: TableBytes): Generator<Buffer> {
  for (const piece of piecesOf(blob, SLICE_BYTES)) yield Buffer.from(piece);
}
