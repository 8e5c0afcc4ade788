/** Going on where a write was interrupted: what it claimed is looked at, and what it may have written without claiming it. */
import type { Batch, Tally } from './batch.ts';
import type { ByteRange } from './flusher.ts';

/**
 * So many batches in a row without one chunk in its place, and nothing more is looked for: more than are ever under way between
 * two flushes of the fastest disks, and their reading costs little.
 */
const MAX_MISSES = 48;

/** Batches, of which some look at the target first. */
export interface ResumePlan {
  readonly batches: Iterable<Batch>;
  /** To be told what became of each. */
  onWritten(batch: Batch, tally: Tally): void;
}

/** @param flushed what was claimed; undefined where this is the first attempt */
export function resuming(batches: Iterable<Batch>, flushed: readonly ByteRange[] | undefined): ResumePlan {
  if (!flushed) return { batches, onWritten: () => undefined };
  const isClaimed = ({ start, end }: Batch): boolean =>
    flushed.some(([from, to]) => start < to && from < end);
  let misses = 0;
  const marked = function* (): Generator<Batch> {
    for (const batch of batches) {
      const looks = isClaimed(batch) || misses < MAX_MISSES;
      yield looks ? { ...batch, mode: 'resume' } : batch;
    }
  };
  return {
    batches: marked(),
    onWritten: (batch, { kept }) => {
      if (batch.mode === 'resume' && batch.chunks.length > 0) misses = kept === 0 ? misses + 1 : 0;
    },
  };
}
