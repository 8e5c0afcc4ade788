/**
 * A worker thread of a write: decompresses, verifies and writes the batches it is given, with its own handle of the target. What it
 * needs from the image it is sent: a thread with connections of its own would take 30 MiB more.
 */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { DirectFile } from '../direct-file.ts';
import type { Batch, Tally } from './batch.ts';
import { type Asking, type BatchContext, BatchWork } from './batch-worker.ts';
import { type PlainError, toPlainError } from './errors.ts';
import { Inflater } from './inflate.ts';
import type { Packed } from './packed.ts';
import { Slabs } from './slabs.ts';
import { verifyBatch } from './verify-batch.ts';
import { fromWire, type WireBatch } from './wire.ts';
import { Zeroer } from './zeros.ts';

/** What a thread is told first. */
export interface ThreadSetup {
  /** For messages: where the bytes come from. */
  readonly sourceName: string;
  readonly target: string;
  readonly access: 'r' | 'r+';
  readonly targetOffset: number;
  readonly slabs: number;
  readonly slabBytes: number;
}

/** To a thread. `stop` gives up what is under way; `close` comes when nothing is. */
export type ToThread =
  | {
      readonly id: number;
      readonly batch: WireBatch;
      readonly packed: Packed;
      /** Whether it has to be told that it may write. */
      readonly waits: boolean;
    }
  /** The answer to what was asked; undefined where it cannot be had. */
  | { readonly id: number; readonly packed: Packed | undefined }
  | { readonly id: number; readonly mayWrite: true }
  | 'stop'
  | 'close';

/** From a thread. */
export type FromThread =
  /** With the memory that came with its bytes. */
  | { readonly id: number; readonly tally: Tally; readonly memory: readonly ArrayBuffer[] }
  | { readonly id: number; readonly error: PlainError }
  | { readonly id: number; readonly hasRead: true }
  | ({ readonly id: number } & Asking);

/** Serves until it is told to close. */
function serve(port: MessagePort, setup: ThreadSetup): void {
  const stop = new AbortController();
  const asked = new Map<number, (packed: Packed | undefined) => void>();
  const ready = contextOf(setup, stop.signal);
  // Told by the batches, each of which waits for it.
  ready.catch(() => undefined);
  const send = (message: FromThread): void =>
    port.postMessage(message, 'memory' in message ? [...message.memory] : []);
  const ask = (id: number, asking: Asking): Promise<Packed | undefined> => {
    stop.signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<Packed | undefined>();
    asked.set(id, resolve);
    send({ id, ...asking });
    return promise;
  };
  const waiting = new Map<number, () => void>();
  const work = async (
    id: number,
    batch: Batch,
    { packed, waits }: { packed: Packed; waits: boolean },
  ): Promise<FromThread> => {
    const { promise: allowed, resolve } = Promise.withResolvers<void>();
    if (waits) waiting.set(id, resolve);
    else resolve();
    try {
      const context = await ready;
      if (batch.mode === 'verify') return { id, tally: await verifyBatch(batch, context), memory: [] };
      const job = new BatchWork(batch, {
        ...context,
        ask: (asking) => ask(id, asking),
        hasRead: () => send({ id, hasRead: true }),
        mayWrite: () => allowed,
      });
      return { id, tally: await job.run(packed), memory: job.memory };
    } catch (error) {
      return { id, error: toPlainError(error) };
    } finally {
      waiting.delete(id);
      asked.delete(id);
    }
  };
  const close = async (): Promise<void> => {
    const context = await ready.catch(() => undefined);
    context?.zeroer.close();
    await context?.target.close();
    port.close();
  };
  port.on('message', (message: ToThread) => {
    if (message === 'stop') {
      stop.abort();
      for (const answer of asked.values()) answer(undefined);
      for (const go of waiting.values()) go();
    } else if (message === 'close') void close();
    else if ('batch' in message) void work(message.id, fromWire(message.batch), message).then(send);
    else if ('mayWrite' in message) waiting.get(message.id)?.();
    else asked.get(message.id)?.(message.packed);
  });
}

async function contextOf(setup: ThreadSetup, signal: AbortSignal): Promise<BatchContext> {
  const target = await DirectFile.open(setup.target, setup.access);
  return {
    ...setup,
    target,
    slabs: new Slabs(setup.slabs, setup.slabBytes),
    inflater: new Inflater(),
    zeroer: new Zeroer(target),
    signal,
  };
}

const port = parentPort;
port?.once('message', (setup: ThreadSetup) => serve(port, setup));
