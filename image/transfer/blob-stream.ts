/** The bytes of a blob of any size, in pieces, verified. */
import { createHash } from 'node:crypto';
import { WrongContent } from '../source/errors.ts';
import type { BlobDescriptor, ImageSource } from '../source/source.ts';

/** Two pieces are held at a time: one on its way in, one on its way out. */
const PIECE_BYTES = 4 << 20;

/**
 * Reads a blob piece by piece. The last piece is only given when the digest of all of them is right, so that who counts the bytes
 * never has a whole wrong blob.
 * @throws WrongContent and other SourceErrors
 */
export async function* streamBlob(
  source: ImageSource,
  blob: BlobDescriptor,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  const read = (offset: number): Promise<Buffer> =>
    source.range(blob, offset, Math.min(PIECE_BYTES, blob.sizeBytes - offset), { signal });
  let next = read(0);
  for (let offset = 0; ; ) {
    const piece = await next;
    hash.update(piece);
    offset += piece.length;
    if (offset < blob.sizeBytes) {
      next = read(offset);
      // Awaited in the next turn; until then its failure is nobody's.
      next.catch(() => undefined);
    } else {
      const found = `sha256:${hash.digest('hex')}`;
      if (found !== blob.digest) {
        const task = { doing: `reading ${blob.digest}`, source: source.name, blob: blob.digest };
        throw new WrongContent(task, 'the digest differs', { expected: blob.digest, found });
      }
      yield piece;
      return;
    }
    yield piece;
  }
}

/** @yields bytes that are held in memory */
export async function* onePiece(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
