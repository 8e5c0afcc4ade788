/** SHA-256 digests as OCI writes them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** `sha256:` and 64 lower-case hexadecimal digits. */
export type Digest = `sha256:${string}`;

/** Whether something is a digest. */
export const isDigest = (value: unknown): value is Digest =>
  typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value);

/** Digest of bytes or text. */
export const digestOf = (data: Uint8Array | string): Digest =>
  `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** Files up to this size are read at once: setting up a stream costs more than reading most files of a system. */
const SMALL_BYTES = 1 << 20;

/**
 * Digest of a file's content.
 * @param sizeBytes its size where the caller knows it
 */
export async function digestOfFile(path: string, sizeBytes = Number.POSITIVE_INFINITY): Promise<Digest> {
  if (sizeBytes <= SMALL_BYTES) return digestOf(await readFile(path));
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return `sha256:${hash.digest('hex')}`;
}
