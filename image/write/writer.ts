/**
 * Writes an image onto a disk with up to four cores: each thread needs memory.
 *
 * The order is what keeps a half-written disk from booting: first the start of the disk is made zero and flushed, then
 * everything else is written and flushed, then the first chunk.
 */
import { DirectFile } from '../direct-file.ts';
import { type Batch, type BatchChunk, NOTHING } from './batch.ts';
import type { Crew } from './crew.ts';
import { Flusher } from './flusher.ts';
import { type BatchLimits, batchesOf } from './plan.ts';
import { ProgressMeter } from './progress.ts';
import { readBack } from './read-back.ts';
import type { WritePart, WriteReport, WriteRequest } from './request.ts';
import { resuming } from './resume.ts';
import { type ReusePlan, reusePlan } from './reuse.ts';
import { startCrew } from './start-crew.ts';
import { stillHolds } from './still-holds.ts';
import { Zeroer } from './zeros.ts';

/** Where the image begins with zeros: any table of partitions or boot sector that was there before. */
const FIRST_BYTES = 64 << 10;
/** What is recognised by its start is recognised by something up to here: btrfs has its superblock at 64 KiB, CDs theirs at 32 KiB. */
const START_BYTES = 1 << 20;

/**
 * Writes all of a part.
 * @throws TargetTooSmall before anything is written; CorruptChunk before a wrong byte is; ChunksNotRead, ImageIoError.
 *   After a failure nothing boots from the target, and a further call goes on from what was flushed.
 */
export async function writeImage(request: WriteRequest): Promise<WriteReport> {
  const target = await DirectFile.open(request.target, 'r+');
  try {
    const { part, targetOffset = 0 } = request;
    await target.requireSize(targetOffset + part.sizeBytes);
    return await new ImageWrite(request, target).run();
  } finally {
    await target.close();
  }
}

class ImageWrite {
  readonly #request: WriteRequest;
  readonly #target: DirectFile;
  readonly #meter: ProgressMeter;
  /** The first chunk, where it lies at the start of the disk; and where it ends, before which is nothing but zeros. */
  readonly #first: BatchChunk | undefined;
  readonly #firstBytes: number;

  constructor(request: WriteRequest, target: DirectFile) {
    this.#request = request;
    this.#target = target;
    this.#meter = new ProgressMeter(request);
    for (const chunk of request.part.chunks()) {
      if (chunk.offset < START_BYTES) this.#first = chunk;
      break;
    }
    this.#firstBytes = this.#first
      ? this.#first.offset + this.#first.length
      : Math.min(FIRST_BYTES, request.part.sizeBytes);
  }

  async run(): Promise<WriteReport> {
    const { signal } = this.#request;
    const { crew, limits } = startCrew(this.#request, 'r+');
    try {
      await this.#eraseStart();
      const direct = await this.#target.isDirect();
      await this.#writeRest(crew, limits);
      await this.#writeStart(crew);
      signal?.throwIfAborted();
      const isReadBack = this.#request.readBack ?? true;
      const bytes = isReadBack ? await readBack(crew, this.#request, { limits, meter: this.#meter }) : 0;
      return { ...this.#meter.tally, readBack: bytes, direct, seconds: this.#meter.seconds };
    } finally {
      await crew.close();
    }
  }

  /** What boots now must not boot when half of it is replaced. */
  async #eraseStart(): Promise<void> {
    const { targetOffset = 0 } = this.#request;
    const zeroer = new Zeroer(this.#target);
    try {
      await zeroer.zero({ offset: targetOffset, length: this.#firstBytes });
    } finally {
      zeroer.close();
    }
    await this.#target.flush();
    const length = this.#first?.offset ?? this.#firstBytes;
    if (length === 0) return;
    const zeros = [{ offset: 0, length }];
    this.#meter.add(
      { start: 0, end: length, chunks: [], zeros, mode: 'write' },
      { ...NOTHING, zeros: length },
    );
  }

  async #writeRest(crew: Crew, limits: BatchLimits): Promise<void> {
    const { part, flushed } = this.#request;
    const failed = new AbortController();
    const flusher = new Flusher(flushed ?? [], {
      flush: () => this.#target.flush(),
      onFlushed: (ranges) => this.#meter.flushed(ranges),
      onFailure: (failure) => failed.abort(failure),
    });
    const signal = AbortSignal.any([failed.signal, ...(this.#request.signal ? [this.#request.signal] : [])]);
    const region = { start: this.#firstBytes, end: part.sizeBytes };
    const reuse = await this.#reuse(limits);
    try {
      if (reuse) {
        await crew.run(
          reuse.copies(flushed ? 'resume' : 'write'),
          (batch, tally) => this.#meter.add(batch, tally),
          signal,
        );
        await this.#target.flush();
      }
      const all = batchesOf(reuse?.chunks() ?? part.chunks(), region, limits);
      const plan = resuming(reuse?.withoutCopied(all) ?? all, flushed);
      await crew.run(
        plan.batches,
        (batch, tally) => {
          plan.onWritten(batch, tally);
          this.#meter.add(batch, tally);
          flusher.written([batch.start, batch.end]);
        },
        signal,
      );
    } catch (error) {
      // What is written is worth keeping; when even that fails, the first failure is still the one to tell.
      await Promise.allSettled([flusher.end()]);
      throw error;
    }
    await flusher.end();
  }

  async #reuse(limits: BatchLimits): Promise<ReusePlan | undefined> {
    const held = await this.#held();
    if (!held) return undefined;
    const { part, targetOffset = 0 } = this.#request;
    // It may have been cut off: a partition that begins where the older one did may end before.
    const isWhole = await this.#target.hasSize(targetOffset + held.sizeBytes);
    const endBytes = isWhole ? held.sizeBytes : part.sizeBytes;
    return reusePlan(part, held, { limits, destroyedBytes: this.#firstBytes, endBytes });
  }

  /** What the target holds. An interrupted write has begun to replace it, so there it is looked for in any case. */
  async #held(): Promise<WritePart | undefined> {
    const { part, held, flushed, targetOffset = 0 } = this.#request;
    if (!held || flushed) return held;
    const place = { targetOffset, from: this.#firstBytes, to: part.sizeBytes };
    return (await stillHolds(this.#target, held, place)) ? held : undefined;
  }

  async #writeStart(crew: Crew): Promise<void> {
    if (!this.#first) return;
    const batch: Batch = {
      start: this.#first.offset,
      end: this.#firstBytes,
      chunks: [this.#first],
      zeros: [],
      mode: 'write',
    };
    await crew.run([batch], (done, tally) => this.#meter.add(done, tally), this.#request.signal);
    await this.#target.flush();
  }
}
