/** Does a batch: gets its bytes from the disk or from the image, verifies them, and writes them in long runs. */
import { hash } from 'node:crypto';
import type { DirectFile } from '../direct-file.ts';
import type { Batch, BatchChunk, Tally } from './batch.ts';
import { CorruptChunk } from './errors.ts';
import type { Inflater } from './inflate.ts';
import { type Packed, packedBytesOf, packedLength, release } from './packed.ts';
import { layOut, type Piece, runsOf, wholeBlocks } from './slab-layout.ts';
import type { Slabs } from './slabs.ts';
import { SMALL_ZEROS_BYTES, type Zeroer } from './zeros.ts';

/** What a worker asks for: chunks of its batch, by their index. */
export interface Asking {
  readonly missing: readonly number[];
  /** They were there and wrong: they are wanted from elsewhere. */
  readonly wrong: boolean;
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
}

/** The writing of one batch. */
export class BatchWork {
  readonly #batch: Batch;
  readonly #context: BatchWriteContext;
  #tally = { fetched: 0, written: 0, kept: 0, copied: 0, zeros: 0 };

  constructor(batch: Batch, context: BatchWriteContext) {
    this.#batch = batch;
    this.#context = context;
  }

  /**
   * Does it all. When it returns, everything is written, not flushed.
   * @param packed what was fetched for it already; its memory is given back
   * @throws CorruptChunk before a byte of the batch is written; ImageIoError, TargetTooSmall
   */
  async run(packed: Packed): Promise<Tally> {
    const { slabs, zeroer, targetOffset } = this.#context;
    this.#tally.fetched += packedLength(packed);
    await slabs.with(async (slab) => {
      const dirty = await this.#fill(slab, layOut(this.#batch), packed);
      release(packed);
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
    const isMissing = (chunk: BatchChunk): boolean => !held.has(chunk) && !packedBytesOf(early, chunk);
    const late = await this.#ask(this.#batch.chunks.filter(isMissing));
    const dirty: Piece[] = [];
    for (const piece of pieces) {
      const { chunk, at, length } = piece;
      const room = slab.subarray(at, at + length);
      if (!chunk) {
        room.fill(0);
        this.#tally.zeros += length;
        dirty.push(piece);
      } else if (held.get(chunk) === 'here') this.#tally.kept += length;
      else {
        if (held.has(chunk)) this.#tally.copied += length;
        else {
          await this.#inflate(chunk, packedBytesOf(early, chunk) ?? packedBytesOf(late, chunk), room);
          this.#tally.written += length;
        }
        dirty.push(piece);
      }
    }
    release(late);
    return dirty;
  }

  /** Reads what the target should hold into the slab; what it does not hold is not in the answer. */
  async #readHeld(
    slab: Buffer,
    pieces: readonly Piece[],
  ): Promise<ReadonlyMap<BatchChunk, 'here' | 'there'>> {
    const { target, targetOffset } = this.#context;
    const held = new Map<BatchChunk, 'here' | 'there'>();
    const look = async (wanted: readonly (Piece & { chunk: BatchChunk; from: number })[]): Promise<void> => {
      const runs = runsOf(wanted.map(({ at, from, length }) => ({ at, offset: from, length })));
      await Promise.all(
        runs.map(({ at, offset, length }) =>
          target.read(slab.subarray(at, at + wholeBlocks(length)), length, targetOffset + offset),
        ),
      );
      for (const { chunk, at, length, from } of wanted) {
        if (hash('sha256', slab.subarray(at, at + length), 'hex') === chunk.sha256)
          held.set(chunk, from === chunk.offset ? 'here' : 'there');
      }
    };
    const chunks = pieces.flatMap((piece) => (piece.chunk ? [{ ...piece, chunk: piece.chunk }] : []));
    // Here first, where a write is resumed: a copy may have been made already, over what it was copied from.
    if (this.#batch.mode === 'resume') await look(chunks.map((piece) => ({ ...piece, from: piece.offset })));
    await look(
      chunks.flatMap((piece) => {
        const { from } = piece.chunk;
        return from === undefined || held.has(piece.chunk) ? [] : [{ ...piece, from }];
      }),
    );
    return held;
  }

  async #inflate(chunk: BatchChunk, packed: Uint8Array | undefined, room: Buffer): Promise<void> {
    const { sourceName: source, inflater, ask } = this.#context;
    let bytes = packed;
    for (;;) {
      if (!bytes) throw new Error(`chunk ${chunk.index} was not fetched`);
      const failure = inflated(chunk, { inflater, packed: bytes, room, source });
      if (!failure) return;
      // Another place may have it right.
      const other = await ask({ missing: [chunk.index], wrong: true });
      if (!other) throw failure;
      this.#tally.fetched += packedLength(other);
      bytes = packedBytesOf(other, chunk);
    }
  }

  async #write(slab: Buffer, dirty: readonly Piece[]): Promise<void> {
    const { target, targetOffset, signal } = this.#context;
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
    const packed = await ask({ missing: chunks.map(({ index }) => index), wrong: false });
    signal.throwIfAborted();
    this.#tally.fetched += packedLength(packed ?? []);
    return packed ?? [];
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
    return new CorruptChunk({ ...facts, found: 'what cannot be decompressed' }, cause);
  }
  const found = hash('sha256', room, 'hex');
  return found === sha256 ? undefined : new CorruptChunk({ ...facts, found: `sha256:${found}` });
}
