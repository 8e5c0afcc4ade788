/** Reads a written image back. */
import type { Crew } from './crew.ts';
import { type BatchLimits, batchesOf } from './plan.ts';
import type { ProgressMeter } from './progress.ts';
import type { WriteRequest } from './request.ts';

/**
 * Compares all of the target with the table.
 * @returns bytes compared
 * @throws CorruptChunk, ImageIoError
 */
export async function readBack(
  crew: Crew,
  { part, signal }: WriteRequest,
  { limits, meter }: { limits: BatchLimits; meter: ProgressMeter },
): Promise<number> {
  const batches = batchesOf(part.chunks(), { start: 0, end: part.sizeBytes }, limits);
  meter.begin('reading back');
  await crew.run(
    batches.map((batch) => ({ ...batch, mode: 'verify' as const })),
    (batch) => meter.done(batch),
    signal,
  );
  return part.sizeBytes;
}
