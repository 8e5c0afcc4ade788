/** Reads a written image back. */
import { DirectFile } from '../direct-file.ts';
import type { Batch, Extent } from './batch.ts';
import type { Crew } from './crew.ts';
import { type BatchLimits, batchesOf } from './plan.ts';
import { ProgressMeter } from './progress.ts';
import type { WriteRequest } from './request.ts';
import { startCrew } from './start-crew.ts';

/** More zeros than this are shared by the threads. */
const ZEROS_BYTES = 64 << 20;

/** What is compared with what. */
export type CompareRequest = Pick<
  WriteRequest,
  'part' | 'source' | 'target' | 'targetOffset' | 'onProgress' | 'signal' | 'threads'
>;

/**
 * Compares a target with an image, past all caches.
 * @returns bytes compared
 * @throws CorruptChunk naming the chunk that differs; TargetTooSmall, ImageIoError
 */
export async function compareTarget(request: CompareRequest): Promise<number> {
  const target = await DirectFile.open(request.target, 'r');
  try {
    await target.requireSize((request.targetOffset ?? 0) + request.part.sizeBytes);
  } finally {
    await target.close();
  }
  const { crew, limits } = startCrew(request, 'r');
  try {
    return await readBack(crew, request, { limits, meter: new ProgressMeter(request) });
  } finally {
    await crew.close();
  }
}

/**
 * Compares all of the target with the table.
 * @returns bytes compared
 * @throws CorruptChunk, ImageIoError
 */
export async function readBack(
  crew: Crew,
  { part, signal }: CompareRequest,
  { limits, meter }: { limits: BatchLimits; meter: ProgressMeter },
): Promise<number> {
  const batches = batchesOf(part.chunks(), { start: 0, end: part.sizeBytes }, limits);
  meter.begin('reading back');
  await crew.run(
    batches.flatMap((batch) => [...verifying(batch)]),
    (batch) => meter.done(batch),
    signal,
  );
  return part.sizeBytes;
}

/** A batch to be compared, and beside it pieces of its long runs of zeros. */
function* verifying(batch: Batch): Generator<Batch> {
  const isLong = ({ length }: Extent): boolean => length > ZEROS_BYTES;
  yield { ...batch, zeros: batch.zeros.filter((run) => !isLong(run)), mode: 'verify' };
  for (const run of batch.zeros.filter(isLong)) {
    for (let done = 0; done < run.length; done += ZEROS_BYTES) {
      const piece = { offset: run.offset + done, length: Math.min(ZEROS_BYTES, run.length - done) };
      const { offset: start, length } = piece;
      yield { start, end: start + length, chunks: [], zeros: [piece], mode: 'verify' };
    }
  }
}
