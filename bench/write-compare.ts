/** Comparing what was written with its source: cmp(1) reads devices in pieces of 4 KiB, ten times slower. */
import { open } from 'node:fs/promises';

const PIECE_BYTES = 8 << 20;

/** @throws Error naming the first piece that differs */
export async function requireEqual(expected: string, found: string, sizeBytes: number): Promise<void> {
  await using a = await open(expected, 'r');
  await using b = await open(found, 'r');
  const [left, right] = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)];
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, sizeBytes - at);
    const [{ bytesRead: one }, { bytesRead: other }] = await Promise.all([
      a.read(left, 0, length, at),
      b.read(right, 0, length, at),
    ]);
    if (one !== length || other !== length || left.compare(right, 0, length, 0, length) !== 0)
      throw new Error(
        `comparing ${found} with ${expected}: they differ between bytes ${at} and ${at + length}`,
      );
  }
}
