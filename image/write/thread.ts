/**
 * A worker thread of a write: decompresses, verifies and writes the batches it is given, with its own handle of the target. What it
 * needs from the image it is sent: a thread with connections of its own would take 30 MiB more.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { DirectFile } from '../direct-file.ts';
import type { Batch, Tally } from './batch.ts';
import { type Asking, BatchWork } from './batch-worker.ts';
import { type PlainError, toPlainError } from './errors.ts';
import { Inflater } from './inflate.ts';
import type { Packed } from './packed.ts';
import { Slabs } from './slabs.ts';
import { verifyBatch } from './verify-batch.ts';
import { Zeroer } from './zeros.ts';

/** What a thread is started with: plain data. */
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
  | { readonly id: number; readonly batch: Batch; readonly packed: Packed }
  /** The answer to what was asked; undefined where it cannot be had. */
  | { readonly id: number; readonly packed: Packed | undefined }
  | 'stop'
  | 'close';

/** From a thread. */
export type FromThread =
  | { readonly id: number; readonly tally: Tally }
  | { readonly id: number; readonly error: PlainError }
  | ({ readonly id: number } & Asking);

async function serve(port: MessagePort, setup: ThreadSetup): Promise<void> {
  const target = await DirectFile.open(setup.target, setup.access);
  const stop = new AbortController();
  const asked = new Map<number, (packed: Packed | undefined) => void>();
  const context = {
    ...setup,
    target,
    slabs: new Slabs(setup.slabs, setup.slabBytes),
    inflater: new Inflater(),
    zeroer: new Zeroer(target),
    signal: stop.signal,
  };
  const send = (message: FromThread): void => port.postMessage(message);
  const ask = (id: number, asking: Asking): Promise<Packed | undefined> => {
    stop.signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<Packed | undefined>();
    asked.set(id, resolve);
    send({ id, ...asking });
    return promise;
  };
  const work = async (id: number, batch: Batch, packed: Packed): Promise<FromThread> => {
    try {
      if (batch.mode === 'verify') return { id, tally: await verifyBatch(batch, context) };
      const job = new BatchWork(batch, { ...context, ask: (asking) => ask(id, asking) });
      return { id, tally: await job.run(packed) };
    } catch (error) {
      return { id, error: toPlainError(error) };
    }
  };
  port.on('message', (message: ToThread) => {
    if (message === 'stop') {
      stop.abort();
      for (const answer of asked.values()) answer(undefined);
    } else if (message === 'close') {
      context.zeroer.close();
      void target.close().then(() => port.close());
    } else if ('batch' in message) void work(message.id, message.batch, message.packed).then(send);
    else asked.get(message.id)?.(message.packed);
  });
}

if (parentPort) await serve(parentPort, workerData);
