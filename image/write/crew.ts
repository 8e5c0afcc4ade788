/** The worker threads of a write, and what is fetched for them ahead of time: no more than a few batches for each. */
import type { Worker } from 'node:worker_threads';
import { type Batch, type BatchChunk, overlaps, type Tally } from './batch.ts';
import type { Asking } from './batch-worker.ts';
import {
  ChunksNotRead,
  fromPlainError,
  type PlainError,
  WorkerDied,
  wrongAndNotElsewhere,
} from './errors.ts';
import type { Fetcher } from './fetcher.ts';
import type { PackedMemory } from './packed-memory.ts';
import type { FromThread, ThreadSetup, ToThread } from './thread.ts';
import { takeThread } from './threads.ts';
import { toWire } from './wire.ts';

/** Under way for each thread: one batch is decompressed and written, one waits, one is fetched. What is not written is fetched again after a kill. */
export const BATCHES_PER_THREAD = 3;

/** Called when a batch is written, not flushed. */
export type OnWritten = (batch: Batch, tally: Tally) => void;

interface Member {
  readonly worker: Worker;
  readonly doing: Map<number, Batch>;
}

/** A batch that is being fetched or worked on. */
interface OpenBatch {
  readonly batch: Batch;
  /** It has not read yet what it copies from elsewhere. */
  reads: boolean;
  /** Those that have to read first what this one overwrites. */
  readonly waitsFor: Set<number>;
  /** Who has it, and waits to be told that it may write. */
  waiting: Member | undefined;
}

/** Runs batches on several threads. */
export class Crew {
  readonly #members: readonly Member[];
  readonly #fetcher: Fetcher;
  readonly #open = new Map<number, OpenBatch>();
  /** Of the fetcher; threads send it back. */
  readonly #memory: PackedMemory;
  /** Stops what is being fetched. */
  readonly #abort: AbortController;
  /** How packs were wrong that came from one place, and were asked for elsewhere. */
  readonly #wrong = new Map<number, PlainError>();
  #nextId = 0;
  #failure: Error | undefined;
  /** Called when a batch has ended. */
  #wake: () => void = () => undefined;
  #onWritten: OnWritten = () => undefined;

  /** @param abort its signal is that of the fetcher */
  constructor(
    threads: number,
    setup: ThreadSetup,
    { fetcher, abort, memory }: { fetcher: Fetcher; abort: AbortController; memory: PackedMemory },
  ) {
    this.#fetcher = fetcher;
    this.#abort = abort;
    this.#memory = memory;
    this.#members = Array.from({ length: threads }, () => {
      const worker = takeThread();
      const member: Member = { worker, doing: new Map() };
      worker.on('message', (message: FromThread) => this.#received(member, message));
      worker.on('error', (cause) =>
        this.#died(member, new WorkerDied('writing an image: a worker thread failed', { cause })),
      );
      worker.on('exit', (code) => {
        if (member.doing.size > 0)
          this.#died(member, new WorkerDied(`writing an image: a worker thread ended with status ${code}`));
      });
      worker.postMessage(setup);
      return member;
    });
  }

  /**
   * Does batches, in about their order. None writes before all that came before it have read what it overwrites.
   * @throws the first failure, when all threads have stopped; the crew can only be closed then
   */
  async run(batches: Iterable<Batch>, onWritten: OnWritten, signal?: AbortSignal): Promise<void> {
    this.#onWritten = onWritten;
    const abort = (): void => this.#fail(asError(signal?.reason));
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      for (const batch of batches) {
        while (!this.#failure && !this.#hasRoom()) await this.#anyEnd();
        if (this.#failure) break;
        void this.#begin(batch);
      }
    } catch (error) {
      // The plan could not be read on; what has begun is still under way.
      this.#fail(asError(error));
    }
    while (this.#open.size > 0) await this.#anyEnd();
    signal?.removeEventListener('abort', abort);
    if (this.#failure) throw this.#failure;
  }

  /** Ends the threads; what they do is waited for. */
  async close(): Promise<void> {
    await Promise.all(
      this.#members.map(async ({ worker }) => {
        // A thread that has ended has no identity any more.
        if (worker.threadId === -1) return;
        const ended = new Promise((resolve) => worker.once('exit', resolve));
        worker.postMessage('close' satisfies ToThread);
        await ended;
      }),
    );
  }

  #hasRoom(): boolean {
    return this.#open.size < this.#members.length * BATCHES_PER_THREAD;
  }

  async #begin(batch: Batch): Promise<void> {
    const id = this.#nextId++;
    const before = this.#open.entries().filter(([, other]) => other.reads && destroys(batch, other.batch));
    const open: OpenBatch = {
      batch,
      reads: batch.chunks.some(isMoved),
      waitsFor: new Set(before.map(([other]) => other)),
      waiting: undefined,
    };
    this.#open.set(id, open);
    try {
      const packed = await this.#fetcher.fetch(surelyMissing(batch));
      this.#abort.signal.throwIfAborted();
      const [idlest] = this.#members.toSorted((a, b) => a.doing.size - b.doing.size);
      if (!idlest) throw new WorkerDied('writing an image: there is no worker thread');
      idlest.doing.set(id, batch);
      const waits = open.waitsFor.size > 0;
      if (waits) open.waiting = idlest;
      post(idlest, { id, batch: toWire(batch), packed, waits });
    } catch (error) {
      this.#fail(this.#notFetched(error));
      this.#end(id);
    }
  }

  #end(id: number): void {
    this.#hasRead(id);
    this.#open.delete(id);
    this.#wake();
  }

  /** A batch has what it copies: those that overwrite it may go on. */
  #hasRead(id: number): void {
    const own = this.#open.get(id);
    if (!own?.reads) return;
    own.reads = false;
    for (const [other, { waitsFor, waiting }] of this.#open)
      if (waitsFor.delete(id) && waitsFor.size === 0 && waiting) post(waiting, { id: other, mayWrite: true });
  }

  async #anyEnd(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #received(member: Member, message: FromThread): void {
    const batch = member.doing.get(message.id);
    if (!batch) return;
    if ('missing' in message) {
      void this.#answer(member, batch, message);
      return;
    }
    if ('hasRead' in message) {
      this.#hasRead(message.id);
      return;
    }
    member.doing.delete(message.id);
    if ('error' in message) this.#fail(fromPlainError(message.error));
    else {
      this.#memory.giveBack(message.memory);
      this.#onWritten(batch, message.tally);
    }
    this.#end(message.id);
  }

  async #answer(
    member: Member,
    batch: Batch,
    { id, missing, wrong }: { id: number } & Asking,
  ): Promise<void> {
    const chunks = batch.chunks.filter(({ index }) => missing.includes(index));
    if (wrong) for (const { pack } of chunks) this.#wrong.set(pack, wrong);
    try {
      const packed = await (wrong ? this.#fetcher.fetchElsewhere(chunks) : this.#fetcher.fetch(chunks));
      post(member, { id, packed });
    } catch (error) {
      this.#fail(this.#notFetched(error));
    }
  }

  /** A pack that came wrong is not asked for there again, by whatever batch: that is why it has to come from elsewhere. */
  #notFetched(error: unknown): Error {
    const wrong = error instanceof ChunksNotRead ? this.#wrong.get(error.pack) : undefined;
    return wrong ? wrongAndNotElsewhere(wrong, error) : asError(error);
  }

  #died(member: Member, error: Error): void {
    const lost = [...member.doing.keys()];
    member.doing.clear();
    this.#fail(error);
    for (const id of lost) this.#end(id);
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#abort.abort(error);
    for (const { worker } of this.#members) worker.postMessage('stop' satisfies ToThread);
    this.#wake();
  }
}

/** The memory of what was fetched is moved to the thread. */
function post({ worker }: Member, message: Exclude<ToThread, string>): void {
  const packed = 'packed' in message ? (message.packed ?? []) : [];
  const moved = new Set(packed.map(({ bytes }) => bytes.buffer));
  worker.postMessage(message, [...moved]);
}

/** What need not be looked for on the target. */
const surelyMissing = ({ mode, chunks }: Batch) =>
  mode === 'write' ? chunks.filter(({ from }) => from === undefined) : [];

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** It lies elsewhere on the target. */
const isMoved = ({ from, offset }: BatchChunk): boolean => from !== undefined && from !== offset;

/** True where writing one batch could destroy what another one is to copy from there. */
function destroys(writer: Batch, reader: Batch): boolean {
  return reader.chunks.some((chunk) => {
    const { from, length } = chunk;
    if (from === undefined || !isMoved(chunk)) return false;
    const source = { offset: from, length };
    // Most batches are far from each other.
    const isNear = overlaps({ offset: writer.start, length: writer.end - writer.start }, source);
    return isNear && writer.chunks.some((other) => overlaps(other, source));
  });
}
