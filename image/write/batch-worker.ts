/** Does a batch: gets its bytes from the disk or from the image, verifies them, and writes them in long runs. */
import { hash } from 'node:crypto';
import type { DirectFile } from '../direct-file.ts';
import type { Batch, BatchChunk, Extent, Tally } from './batch.ts';
import { CorruptChunk, type PlainError, toPlainError } from './errors.ts';
import type { Inflater } from './inflate.ts';
import { isZero } from './is-zero.ts';
import { memoryOf, type Packed, packedBytesOf, packedLength } from './packed.ts';
import { layOut, type Piece, runsOf, wholeBlocks } from './slab-layout.ts';
import type { Slabs } from './slabs.ts';
import { SMALL_ZEROS_BYTES, type Zeroer } from './zeros.ts';

/** What a worker asks for: chunks of its batch, by their index. */
export interface Asking {
  readonly missing: readonly number[];
  /** How they were wrong where they came from: they are wanted from elsewhere. */
  readonly wrong?: PlainError;
}

/** What a worker works with. */
export interface BatchContext {
  /** For messages: where the bytes come from. */
  readonly sourceName: string;
  readonly target: DirectFile;
  /** Where the image begins on the target. */
  readonly targetOffset: number;
  readonly slabs: Slabs;
  readonly inflater: Inflater;
  readonly zeroer: Zeroer;
  readonly signal: AbortSignal;
}

/** With which a batch is written. */
export interface BatchWriteContext extends BatchContext {
  /** @returns undefined where it cannot be had */
  ask(asking: Asking): Promise<Packed | undefined>;
  /** To be called when everything is read that is copied from elsewhere on the target: it may be overwritten now. */
  hasRead(): void;
  /** Ends when nobody needs any longer what this batch overwrites. */
  mayWrite(): Promise<void>;
}

/** The writing of one batch. */
export class BatchWork {
  readonly #batch: Batch;
  readonly #context: BatchWriteContext;
  /** That the bytes lie in which came for this batch, to be used again. */
  readonly memory: ArrayBuffer[] = [];
  #tally = { fetched: 0, written: 0, kept: 0, copied: 0, zeros: 0 };

  constructor(batch: Batch, context: BatchWriteContext) {
    this.#batch = batch;
    this.#context = context;
  }

  /**
   * Does it all. When it returns, everything is written, not flushed.
   * @param packed what was fetched for it already
   * @throws CorruptChunk before a byte of the batch is written; ImageIoError, TargetTooSmall
   */
  async run(packed: Packed): Promise<Tally> {
    const { slabs, zeroer, targetOffset } = this.#context;
    this.#got(packed);
    await slabs.with(async (slab) => {
      const dirty = await this.#fill(slab, layOut(this.#batch), packed);
      await this.#write(slab, dirty);
    });
    for (const { offset, length } of this.#batch.zeros) {
      if (length < SMALL_ZEROS_BYTES) continue;
      const extent = { offset: targetOffset + offset, length };
      await zeroer.zero(extent, { look: this.#batch.mode === 'resume' });
      this.#tally.zeros += length;
    }
    return this.#tally;
  }

  /** @returns the pieces that the target does not hold, verified and in the slab */
  async #fill(slab: Buffer, pieces: readonly Piece[], early: Packed): Promise<readonly Piece[]> {
    const held = await this.#readHeld(slab, pieces);
    const missing = pieces.filter(
      (piece) => piece.chunk && !held.has(piece) && !packedBytesOf(early, piece.chunk),
    );
    const late = await this.#ask(missing.flatMap(({ chunk }) => chunk ?? []));
    const dirty: Piece[] = [];
    for (const piece of pieces) {
      const { chunk, at, length } = piece;
      const room = slab.subarray(at, at + length);
      const where = held.get(piece);
      if (!chunk) {
        if (where !== 'here') room.fill(0);
        this.#tally.zeros += length;
      } else if (where === 'here') this.#tally.kept += length;
      else if (where === 'there') this.#tally.copied += length;
      else {
        await this.#inflate(chunk, packedBytesOf(early, chunk) ?? packedBytesOf(late, chunk), room);
        this.#tally.written += length;
      }
      if (where !== 'here') dirty.push(piece);
    }
    return dirty;
  }

  /** Reads what the target should hold into the slab; what it does not hold is not in the answer. */
  async #readHeld(slab: Buffer, pieces: readonly Piece[]): Promise<ReadonlyMap<Piece, 'here' | 'there'>> {
    const held = new Map<Piece, 'here' | 'there'>();
    // Here first, where a write is resumed: a copy may have been made already, over what it was copied from.
    const isResumed = this.#batch.mode === 'resume';
    const isKept = ({ chunk, offset }: Piece): boolean => chunk?.from === offset;
    if (isResumed || pieces.some(isKept)) {
      // Zeros between what is kept are read with it, in one run.
      const here = pieces.filter((piece) => isResumed || !piece.chunk || isKept(piece));
      await this.#read(slab, here);
      for (const piece of here) if (this.#isRight(slab, piece)) held.set(piece, 'here');
    }
    const moved = pieces.filter(
      (piece) => piece.chunk?.from !== undefined && !isKept(piece) && !held.has(piece),
    );
    await this.#read(
      slab,
      moved.map(({ at, length, chunk, offset }) => ({ at, length, offset: chunk?.from ?? offset })),
    );
    if (moved.length > 0) this.#context.hasRead();
    for (const piece of moved) if (this.#isRight(slab, piece)) held.set(piece, 'there');
    return held;
  }

  /** Reads from the target, neighbours in one. */
  async #read(slab: Buffer, wanted: readonly (Extent & { readonly at: number })[]): Promise<void> {
    const { target, targetOffset } = this.#context;
    await Promise.all(
      runsOf(wanted).map(({ at, offset, length }) =>
        target.read(slab.subarray(at, at + wholeBlocks(length)), length, targetOffset + offset),
      ),
    );
  }

  #isRight(slab: Buffer, { chunk, at, length }: Piece): boolean {
    const data = slab.subarray(at, at + length);
    return chunk ? hash('sha256', data, 'hex') === chunk.sha256 : isZero(data);
  }

  async #inflate(chunk: BatchChunk, packed: Uint8Array | undefined, room: Buffer): Promise<void> {
    const { sourceName: source, inflater, ask } = this.#context;
    let bytes = packed;
    for (;;) {
      if (!bytes) throw new Error(`chunk ${chunk.index} was not fetched`);
      const failure = inflated(chunk, { inflater, packed: bytes, room, source });
      if (!failure) return;
      // Another place may have it right.
      const other = await ask({ missing: [chunk.index], wrong: toPlainError(failure) });
      if (!other) throw failure;
      this.#got(other);
      bytes = packedBytesOf(other, chunk);
    }
  }

  async #write(slab: Buffer, dirty: readonly Piece[]): Promise<void> {
    const { target, targetOffset, signal, mayWrite } = this.#context;
    await mayWrite();
    signal.throwIfAborted();
    await Promise.all(
      runsOf(dirty).map(({ at, offset, length }) =>
        target.write(slab.subarray(at, at + length), targetOffset + offset),
      ),
    );
  }

  async #ask(chunks: readonly BatchChunk[]): Promise<Packed> {
    if (chunks.length === 0) return [];
    const { ask, signal } = this.#context;
    const packed = await ask({ missing: chunks.map(({ index }) => index) });
    signal.throwIfAborted();
    this.#got(packed ?? []);
    return packed ?? [];
  }

  #got(packed: Packed): void {
    this.#tally.fetched += packedLength(packed);
    this.memory.push(...memoryOf(packed));
  }
}

/** @returns why the chunk is not in the room now; nothing where it is */
function inflated(
  { index, offset, length, sha256 }: BatchChunk,
  {
    inflater,
    packed,
    room,
    source,
  }: { inflater: Inflater; packed: Uint8Array; room: Buffer; source: string },
): CorruptChunk | undefined {
  const facts = { chunk: index, offset, length, source, expected: `sha256:${sha256}` };
  try {
    inflater.into(packed, room);
  } catch (cause) {
    return new CorruptChunk({ ...facts, found: `what does not decompress to its ${length} bytes` }, cause);
  }
  const found = hash('sha256', room, 'hex');
  return found === sha256 ? undefined : new CorruptChunk({ ...facts, found: `sha256:${found}` });
}
