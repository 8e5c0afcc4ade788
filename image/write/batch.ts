/** The work that is handed to one worker at a time: a region of the image, small enough to lose, large enough for full speed. */
import type { NumberedChunk } from '../format/chunk-table.ts';

/** One chunk of a batch. */
export interface BatchChunk extends NumberedChunk {
  /** Where the disk should hold these bytes already, from the start of the image. It is believed only when the hash fits. */
  readonly from?: number;
}

/** A region of the image: in it, what no chunk covers is zero, but for what others take care of. */
export interface Batch {
  /** Bytes from the start of the image; the region ends before `end`. */
  readonly start: number;
  readonly end: number;
  /** In the order of the image. */
  readonly chunks: readonly BatchChunk[];
  /** What has to be zero, in the order of the image. */
  readonly zeros: readonly Extent[];
  /**
   * `write` what is there; `resume`: look first at what the target holds, for a write was interrupted here; `verify`: only look,
   * and fail where the target holds anything else.
   */
  readonly mode: 'write' | 'resume' | 'verify';
}

/** Some bytes of the image or of the target. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** What became of a batch's bytes, in raw bytes; but for `fetched`, which is as they are in the packs. */
export interface Tally {
  readonly fetched: number;
  readonly written: number;
  /** Found at their place, by hash. */
  readonly kept: number;
  /** Found at another place of the target, by hash, and copied. */
  readonly copied: number;
  /** Zeros: discarded, found, or written. */
  readonly zeros: number;
}

/** Nothing done yet. */
export const NOTHING: Tally = { fetched: 0, written: 0, kept: 0, copied: 0, zeros: 0 };

/** Both together. */
export function sum(a: Tally, b: Tally): Tally {
  return {
    fetched: a.fetched + b.fetched,
    written: a.written + b.written,
    kept: a.kept + b.kept,
    copied: a.copied + b.copied,
    zeros: a.zeros + b.zeros,
  };
}

/** True where two extents have a byte in common. */
export const overlaps = (a: Extent, b: Extent): boolean =>
  a.offset < b.offset + b.length && b.offset < a.offset + a.length;
