/** Reads a batch back from the device, past its cache, and compares it with the table. */
import { hash } from 'node:crypto';
import { type Batch, NOTHING, type Tally } from './batch.ts';
import type { BatchContext } from './batch-worker.ts';
import { CorruptChunk } from './errors.ts';
import { isZero } from './is-zero.ts';
import { layOut, runsOf, wholeBlocks } from './slab-layout.ts';
import { SMALL_ZEROS_BYTES } from './zeros.ts';

/**
 * @returns what was compared, as kept and zeros
 * @throws CorruptChunk naming the first chunk, or run of zeros, that differs; ImageIoError
 */
export async function verifyBatch(batch: Batch, context: BatchContext): Promise<Tally> {
  return await context.slabs.with(async (slab) => {
    const { target, targetOffset } = context;
    const tally = { ...NOTHING };
    const pieces = layOut(batch);
    await Promise.all(
      runsOf(pieces).map(({ at, offset, length }) =>
        target.read(slab.subarray(at, at + wholeBlocks(length)), length, targetOffset + offset),
      ),
    );
    for (const { chunk, at, offset, length } of pieces) {
      const data = slab.subarray(at, at + length);
      if (chunk) {
        const found = hash('sha256', data, 'hex');
        if (found !== chunk.sha256) throw mismatch(chunk, target.path, chunk.sha256, found);
        tally.kept += length;
      } else requireZero(data, offset, target.path);
    }
    for (const { offset, length } of batch.zeros) {
      tally.zeros += length;
      if (length < SMALL_ZEROS_BYTES) continue;
      for (let done = 0; done < length; done += slab.length) {
        context.signal.throwIfAborted();
        const wanted = Math.min(slab.length, length - done);
        requireZero(
          await target.read(slab, wanted, targetOffset + offset + done),
          offset + done,
          target.path,
        );
      }
    }
    return tally;
  });
}

function mismatch(
  { index, offset, length }: { index: number; offset: number; length: number },
  source: string,
  expected: string,
  found: string,
): CorruptChunk {
  return new CorruptChunk({
    chunk: index,
    offset,
    length,
    source,
    expected: `sha256:${expected}`,
    found: `sha256:${found}`,
  });
}

function requireZero(data: Buffer, offset: number, source: string): void {
  if (isZero(data)) return;
  throw new CorruptChunk({
    chunk: undefined,
    offset,
    length: data.length,
    source,
    expected: 'zeros',
    found: 'something else',
  });
}
