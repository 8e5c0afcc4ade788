/** What a write is asked for, and what it tells. */
import type { ChunkTable } from '../format/chunk-table.ts';
import type { ImageSource } from '../source/source.ts';
import type { Tally } from './batch.ts';
import type { ByteRange } from './flusher.ts';

/** One part of an image: its verified table, {@link ChunkTable}. */
export type WritePart = Pick<
  ChunkTable,
  | 'sizeBytes'
  | 'dataBytes'
  | 'maxChunkBytes'
  | 'packs'
  | 'count'
  | 'at'
  | 'chunks'
  | 'offsetOf'
  | 'lengthOf'
  | 'digestStart'
>;

/** What is written where. */
export interface WriteRequest {
  readonly part: WritePart;
  /** Where its packs are; stays open. */
  readonly source: ImageSource;
  /** A block device, or a file that is large enough. Nobody else may use it meanwhile. */
  readonly target: string;
  /** Where the image begins on the target; a multiple of 4096. Default 0. */
  readonly targetOffset?: number;
  /**
   * What an earlier, interrupted write of this image said to be flushed, even if that is nothing. It is believed only as far as the
   * hashes fit. Default: this is the first attempt, and nothing is looked for.
   */
  readonly flushed?: readonly ByteRange[];
  /** The image that the target should hold now: its chunks are kept or copied where the hashes fit. */
  readonly held?: WritePart;
  /** Whether everything is read back from the device and compared when it is written. Default true. */
  readonly readBack?: boolean;
  readonly onProgress?: (progress: WriteProgress) => void;
  /** Stops between chunks; what is flushed stays, and nothing boots from it. */
  readonly signal?: AbortSignal;
  /** Worker threads; default one for each core. At most 4, each of which needs about 35 MiB; fewer where chunks are very many or very long. */
  readonly threads?: number;
}

/** How far a write has come. */
export interface WriteProgress extends Tally {
  readonly phase: 'writing' | 'reading back';
  /** Raw bytes of chunks that are done in this phase, of {@link totalBytes}. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** What is flushed, for {@link WriteRequest.flushed} of the next attempt. */
  readonly flushed: readonly ByteRange[];
  readonly bytesPerSecond: number;
  /** Undefined while nobody can say. */
  readonly secondsLeft: number | undefined;
}

/** What was done. */
export interface WriteReport extends Tally {
  readonly seconds: number;
  /** Bytes that were read back and compared. */
  readonly readBack: number;
  /** Whether it was written, and read back, past the cache; false where the target's filesystem has no direct access. */
  readonly direct: boolean;
}
