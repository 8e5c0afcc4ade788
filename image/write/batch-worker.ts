/** Does a batch: gets its bytes from the disk or from the image, verifies them, and writes them in long runs. */
import { hash } from 'node:crypto';
import type { DirectFile } from '../direct-file.ts';
import type { BlobDescriptor, ImageSource } from '../source/source.ts';
import type { Batch, BatchChunk, Tally } from './batch.ts';
import { CorruptChunk } from './errors.ts';
import type { Inflater } from './inflate.ts';
import { NO_PACKED, type Packed, packOf, readPacked } from './packed-reader.ts';
import { layOut, type Piece, runsOf, wholeBlocks } from './slab-layout.ts';
import type { Slabs } from './slabs.ts';
import { SMALL_ZEROS_BYTES, type Zeroer } from './zeros.ts';

/** What a worker works with. */
export interface BatchContext {
  readonly source: ImageSource;
  readonly packs: readonly BlobDescriptor[];
  readonly target: DirectFile;
  /** Where the image begins on the target. */
  readonly targetOffset: number;
  readonly slabs: Slabs;
  readonly inflater: Inflater;
  readonly zeroer: Zeroer;
  readonly signal: AbortSignal;
}

/** One batch; {@link fetch} may run while another one is worked on. */
export class BatchWork {
  readonly #batch: Batch;
  readonly #context: BatchContext;
  #packed: Promise<Packed> | undefined;
  #tally = { fetched: 0, written: 0, kept: 0, copied: 0, zeros: 0 };

  constructor(batch: Batch, context: BatchContext) {
    this.#batch = batch;
    this.#context = context;
  }

  /** Begins to fetch what the target surely does not hold. */
  fetch(): void {
    const { mode, chunks } = this.#batch;
    const missing = mode === 'resume' ? [] : chunks.filter(({ from }) => from === undefined);
    this.#packed = this.#read(missing);
    // Awaited later: until then a failure is nobody's.
    this.#packed.catch(() => undefined);
  }

  /**
   * Does it all. When it returns, everything is written, not flushed.
   * @throws CorruptChunk before a byte of the batch is written; SourceError, AllSourcesFailed, ImageIoError, TargetTooSmall
   */
  async finish(): Promise<Tally> {
    const { slabs, zeroer, targetOffset } = this.#context;
    const pieces = layOut(this.#batch);
    await slabs.with(async (slab) => {
      const dirty = await this.#fill(slab, pieces);
      await this.#write(slab, dirty);
    });
    for (const { offset, length } of this.#batch.zeros) {
      if (length < SMALL_ZEROS_BYTES) continue;
      await zeroer.zero({ offset: targetOffset + offset, length }, { look: this.#batch.mode === 'resume' });
      this.#tally.zeros += length;
    }
    return this.#tally;
  }

  /** @returns the pieces that the target does not hold, verified and in the slab */
  async #fill(slab: Buffer, pieces: readonly Piece[]): Promise<readonly Piece[]> {
    const held = await this.#readHeld(slab, pieces);
    const missing = pieces.flatMap(({ chunk }) => (chunk && !held.has(chunk) ? [chunk] : []));
    const early = (await this.#packed) ?? NO_PACKED;
    const late = await this.#read(missing.filter((chunk) => !early.bytes.has(chunk)));
    this.#tally.fetched += early.fetchedBytes + late.fetchedBytes;
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
          const packed = early.bytes.get(chunk) ?? late.bytes.get(chunk);
          await this.#inflate(chunk, packed, room);
          this.#tally.written += length;
        }
        dirty.push(piece);
      }
    }
    early.release();
    late.release();
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

  async #inflate(chunk: BatchChunk, packed: Buffer | undefined, room: Buffer): Promise<void> {
    const { source, packs, inflater, signal } = this.#context;
    let bytes = packed;
    for (;;) {
      if (!bytes) throw new Error(`chunk ${chunk.index} was not fetched`);
      const failure = inflated(chunk, { inflater, packed: bytes, room, source: source.name });
      if (!failure) return;
      const blob = packOf(packs, chunk.pack);
      // Another place may have it right.
      if (!source.reject(blob, chunk.packedOffset, chunk.packedLength)) throw failure;
      bytes = await source.range(blob, chunk.packedOffset, chunk.packedLength, signal);
      this.#tally.fetched += bytes.length;
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

  #read(chunks: readonly BatchChunk[]): Promise<Packed> {
    const { source, packs, signal } = this.#context;
    return readPacked(source, packs, chunks, signal);
  }
}

/** @returns why the chunk is not in the room now; nothing where it is */
function inflated(
  { index, offset, length, sha256 }: BatchChunk,
  { inflater, packed, room, source }: { inflater: Inflater; packed: Buffer; room: Buffer; source: string },
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
