/** The worker threads of a write: each is given a little more than it is doing, and asks for nothing. */
import { Worker } from 'node:worker_threads';
import { type Batch, overlaps, type Tally } from './batch.ts';
import { fromPlainError, WorkerDied } from './errors.ts';
import type { FromThread, ThreadSetup, ToThread } from './thread.ts';

/** Batches that one thread has at most: one is written, one decompressed, one fetched. */
export const BATCHES_PER_THREAD = 3;

/** Called when a batch is written, not flushed. */
export type OnWritten = (batch: Batch, tally: Tally) => void;

interface Member {
  readonly worker: Worker;
  readonly doing: Map<number, Batch>;
}

/** Runs batches on several threads. */
export class Crew {
  readonly #members: readonly Member[];
  #nextId = 0;
  #failure: Error | undefined;
  /** Called when a thread has answered, or died. */
  #wake: () => void = () => undefined;
  #onWritten: OnWritten = () => undefined;

  constructor(threads: number, setup: ThreadSetup) {
    this.#members = Array.from({ length: threads }, () => {
      const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: setup });
      const member: Member = { worker, doing: new Map() };
      worker.on('message', (answer: FromThread) => this.#answered(member, answer));
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
    const abort = (): void => {
      this.#fail(asError(signal?.reason));
      this.#wake();
    };
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      for (const batch of batches) {
        const member = await this.#memberFor(batch);
        if (!member) break;
        const id = this.#nextId++;
        member.doing.set(id, batch);
        this.#post(member, { id, batch });
      }
      while (this.#members.some(({ doing }) => doing.size > 0)) await this.#answer();
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

  async #memberFor(batch: Batch): Promise<Member | undefined> {
    while (!this.#failure) {
      const [idlest] = this.#members.toSorted((a, b) => a.doing.size - b.doing.size);
      if (idlest && idlest.doing.size < BATCHES_PER_THREAD && !this.#conflicts(batch)) return idlest;
      await this.#answer();
    }
    return undefined;
  }

  #conflicts(batch: Batch): boolean {
    return this.#members.some(({ doing }) =>
      doing.values().some((other) => destroys(batch, other) || destroys(other, batch)),
    );
  }

  async #answer(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #answered(member: Member, answer: FromThread): void {
    const batch = member.doing.get(answer.id);
    member.doing.delete(answer.id);
    if ('error' in answer) this.#fail(fromPlainError(answer.error));
    else if (batch) this.#onWritten(batch, answer.tally);
    this.#wake();
  }

  #died(member: Member, error: Error): void {
    // It answers nothing more.
    member.doing.clear();
    this.#fail(error);
    this.#wake();
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#stop();
  }

  #stop(): void {
    for (const { worker } of this.#members) worker.postMessage('stop' satisfies ToThread);
  }

  #post({ worker }: Member, message: ToThread): void {
    worker.postMessage(message);
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** True where writing one batch could destroy what another one is to copy from there. */
function destroys(writer: Batch, reader: Batch): boolean {
  return reader.chunks.some(({ from, offset, length }) => {
    if (from === undefined || from === offset) return false;
    return writer.chunks.some((chunk) => overlaps(chunk, { offset: from, length }));
  });
}
