/** Whether a target still holds what it is said to hold. */
import { hash } from 'node:crypto';
import { alignedBuffer, type DirectFile } from '../direct-file.ts';
import type { Chunk } from '../format/chunk-table.ts';
import type { WritePart } from './request.ts';
import { wholeBlocks } from './slab-layout.ts';

/** A disk that has less than this of an image has hardly anything that could be kept. */
const SAMPLES = 64;
const WASM_PAGE_BYTES = 64 << 10;

/**
 * Looks at a few chunks from all over the image: a disk that was emptied meanwhile would be read and hashed whole, for nothing.
 * @param options `from`, `to`: between which bytes of the image it may hold something
 * @throws ImageIoError
 */
export async function stillHolds(
  target: DirectFile,
  held: WritePart,
  { targetOffset, from, to }: { targetOffset: number; from: number; to: number },
): Promise<boolean> {
  const buffer = alignedBuffer(
    Math.ceil(held.maxChunkBytes / WASM_PAGE_BYTES) * WASM_PAGE_BYTES || WASM_PAGE_BYTES,
  );
  for (const { offset, length, sha256 } of samplesOf(held, from, to)) {
    const data = await target.read(buffer.subarray(0, wholeBlocks(length)), length, targetOffset + offset);
    if (hash('sha256', data, 'hex') === sha256) return true;
  }
  return false;
}

function* samplesOf(held: WritePart, from: number, to: number): Generator<Chunk> {
  const { count } = held;
  const step = Math.max(1, Math.floor(count / SAMPLES));
  for (let index = Math.floor(step / 2); index < count; index += step) {
    const chunk = held.at(index);
    if (chunk.offset >= from && chunk.offset + chunk.length <= to) yield chunk;
  }
}
