/** The worker threads of a write, and what is fetched for them ahead of time: no more than a few batches for each. */
import { Worker } from 'node:worker_threads';
import { type Batch, overlaps, type Tally } from './batch.ts';
import { fromPlainError, WorkerDied } from './errors.ts';
import type { Fetcher } from './fetcher.ts';
import type { Packed } from './packed.ts';
import type { FromThread, ThreadSetup, ToThread } from './thread.ts';

/** Under way for each thread: one batch is written, one decompressed, one fetched. */
const BATCHES_PER_THREAD = 3;

/** Beside this file; where everything is bundled into one, beside that. */
const THREAD = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);

/** Called when a batch is written, not flushed. */
export type OnWritten = (batch: Batch, tally: Tally) => void;

interface Member {
  readonly worker: Worker;
  readonly doing: Map<number, Batch>;
}

/** Runs batches on several threads. */
export class Crew {
  readonly #members: readonly Member[];
  readonly #fetcher: Fetcher;
  /** Batches that are being fetched or worked on. */
  readonly #open = new Map<number, Batch>();
  /** Stops what is being fetched. */
  readonly #abort: AbortController;
  #nextId = 0;
  #failure: Error | undefined;
  /** Called when a batch has ended. */
  #wake: () => void = () => undefined;
  #onWritten: OnWritten = () => undefined;

  /** @param abort its signal is that of the fetcher */
  constructor(
    threads: number,
    setup: ThreadSetup,
    { fetcher, abort }: { fetcher: Fetcher; abort: AbortController },
  ) {
    this.#fetcher = fetcher;
    this.#abort = abort;
    this.#members = Array.from({ length: threads }, () => {
      const worker = new Worker(THREAD, { workerData: setup });
      const member: Member = { worker, doing: new Map() };
      worker.on('message', (message: FromThread) => this.#received(member, message));
      worker.on('error', (error) => this.#died(member, asError(error)));
      worker.on('exit', (code) => {
        if (member.doing.size > 0)
          this.#died(member, new WorkerDied(`writing an image: a worker thread ended with status ${code}`));
      });
      return member;
    });
  }

  /**
   * Does batches, in about their order. No batch begins while another one is at work that writes what it reads, or reads what
   * it writes.
   * @throws the first failure, when all threads have stopped; the crew can only be closed then
   */
  async run(batches: Iterable<Batch>, onWritten: OnWritten, signal?: AbortSignal): Promise<void> {
    this.#onWritten = onWritten;
    const abort = (): void => this.#fail(asError(signal?.reason));
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      for (const batch of batches) {
        while (!this.#failure && !this.#hasRoomFor(batch)) await this.#anyEnd();
        if (this.#failure) break;
        void this.#begin(batch);
      }
      while (this.#open.size > 0) await this.#anyEnd();
    } finally {
      signal?.removeEventListener('abort', abort);
    }
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

  #hasRoomFor(batch: Batch): boolean {
    return (
      this.#open.size < this.#members.length * BATCHES_PER_THREAD &&
      !this.#open.values().some((other) => destroys(batch, other) || destroys(other, batch))
    );
  }

  async #begin(batch: Batch): Promise<void> {
    const id = this.#nextId++;
    this.#open.set(id, batch);
    try {
      const packed = await this.#fetcher.fetch(surelyMissing(batch));
      this.#abort.signal.throwIfAborted();
      const [idlest] = this.#members.toSorted((a, b) => a.doing.size - b.doing.size);
      if (!idlest) throw new WorkerDied('writing an image: there is no worker thread');
      idlest.doing.set(id, batch);
      post(idlest, { id, batch, packed });
    } catch (error) {
      this.#fail(asError(error));
      this.#end(id);
    }
  }

  #end(id: number): void {
    this.#open.delete(id);
    this.#wake();
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
    member.doing.delete(message.id);
    if ('error' in message) this.#fail(fromPlainError(message.error));
    else this.#onWritten(batch, message.tally);
    this.#end(message.id);
  }

  async #answer(
    member: Member,
    batch: Batch,
    { id, missing, wrong }: { id: number; missing: readonly number[]; wrong: boolean },
  ): Promise<void> {
    const chunks = batch.chunks.filter(({ index }) => missing.includes(index));
    try {
      const packed = await (wrong ? this.#fetcher.fetchElsewhere(chunks) : this.#fetcher.fetch(chunks));
      post(member, { id, packed });
    } catch (error) {
      this.#fail(asError(error));
    }
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
  const moved = new Set((message.packed ?? ([] satisfies Packed)).map(({ bytes }) => bytes.buffer));
  worker.postMessage(message, [...moved]);
}

/** What need not be looked for on the target. */
const surelyMissing = ({ mode, chunks }: Batch) =>
  mode === 'write' ? chunks.filter(({ from }) => from === undefined) : [];

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** True where writing one batch could destroy what another one is to copy from there. */
function destroys(writer: Batch, reader: Batch): boolean {
  return reader.chunks.some(({ from, offset, length }) => {
    if (from === undefined || from === offset) return false;
    return writer.chunks.some((chunk) => overlaps(chunk, { offset: from, length }));
  });
}
