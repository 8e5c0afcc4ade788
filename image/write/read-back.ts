/** Reads a written image back. */
import { DirectFile } from '../direct-file.ts';
import type { Crew } from './crew.ts';
import { type BatchLimits, batchesOf } from './plan.ts';
import { ProgressMeter } from './progress.ts';
import type { WriteRequest } from './request.ts';
import { startCrew } from './start-crew.ts';

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
    batches.map((batch) => ({ ...batch, mode: 'verify' as const })),
    (batch) => meter.done(batch),
    signal,
  );
  return part.sizeBytes;
}
