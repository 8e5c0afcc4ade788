/** Reading blobs over HTTP: the same from a registry and from a web server. */
import { type Digest, digestOf } from '../digest.ts';
import { rangeTask, type Task, UnexpectedAnswer, WrongContent } from './errors.ts';
import type { HttpAnswer } from './http-answer.ts';
import type { BlobDescriptor } from './source.ts';

/** Asks a server; the answer's status is not judged yet. */
export type Ask = (task: Task, headers: Readonly<Record<string, string>>) => Promise<HttpAnswer>;

/** For messages of {@link readBlob}. */
export const blobTask = (source: string, { digest, sizeBytes }: BlobDescriptor): Task => ({
  doing: `reading ${digest}`,
  source,
  blob: digest,
  length: sizeBytes,
});

/** A whole blob, verified against its size and digest. */
export async function readBlob(source: string, blob: BlobDescriptor, ask: Ask): Promise<Buffer> {
  const task = blobTask(source, blob);
  const answer = await ask(task, {});
  if (answer.status !== 200) throw await answer.failure();
  const bytes = await answer.exactly(blob.sizeBytes);
  checkDigest(task, bytes, blob.digest);
  return bytes;
}

/** Bytes of a blob, not verified. */
export async function readRange(
  source: string,
  { blob, offset, length }: { blob: BlobDescriptor; offset: number; length: number },
  ask: Ask,
): Promise<Buffer> {
  if (offset < 0 || length < 0 || offset + length > blob.sizeBytes) {
    throw new RangeError(
      `bytes ${offset} to ${offset + length} of ${blob.digest}, which has ${blob.sizeBytes}`,
    );
  }
  // HTTP has no empty range.
  if (length === 0) return Buffer.alloc(0);
  const task = rangeTask(source, blob.digest, offset, length);
  const last = offset + length - 1;
  const answer = await ask(task, { range: `bytes=${offset}-${last}` });
  const isWhole = offset === 0 && length === blob.sizeBytes;
  if (answer.status === 200 && isWhole) return await answer.exactly(length);
  if (answer.status === 200) {
    answer.discard();
    throw new UnexpectedAnswer(task, 'the server sends whole files only; it must support range requests');
  }
  if (answer.status === 416) {
    await answer.drain();
    throw new WrongContent(task, 'the blob is shorter there', {
      expected: `${blob.sizeBytes} bytes`,
      found: answer.header('content-range') ?? 'fewer',
    });
  }
  if (answer.status !== 206) throw await answer.failure();
  checkContentRange(task, answer, { first: offset, last, size: blob.sizeBytes });
  return await answer.exactly(length);
}

/** @throws WrongContent */
export function checkDigest(task: Task, bytes: Buffer, expected: Digest): void {
  const found = digestOf(bytes);
  if (found !== expected) throw new WrongContent(task, 'the digest differs', { expected, found });
}

/** `Content-Range: bytes FIRST-LAST/SIZE` (RFC 9110, 14.4); the size may be `*`. */
function checkContentRange(
  task: Task,
  answer: HttpAnswer,
  { first, last, size }: { first: number; last: number; size: number },
): void {
  const found = answer.header('content-range') ?? 'none';
  const [, foundFirst, foundLast, foundSize] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(found) ?? [];
  const sizeFits = foundSize === '*' || Number(foundSize) === size;
  if (Number(foundFirst) === first && Number(foundLast) === last && sizeFits) return;
  answer.discard();
  throw new WrongContent(task, 'the answer is another range', {
    expected: `bytes ${first}-${last}/${size}`,
    found,
  });
}
