/** A worker thread of a write: has its own connections and its own handle of the target, and does the batches it is given. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { DirectFile } from '../direct-file.ts';
import type { BlobDescriptor } from '../source/source.ts';
import { type OpenOptions, openSource } from '../transfer/open.ts';
import type { Batch, Tally } from './batch.ts';
import { BatchWork } from './batch-worker.ts';
import { type PlainError, toPlainError } from './errors.ts';
import { Inflater } from './inflate.ts';
import { Slabs } from './slabs.ts';
import { verifyBatch } from './verify-batch.ts';
import { Zeroer } from './zeros.ts';

/** What a thread is started with: plain data. */
export interface ThreadSetup {
  /** Places with the image, as {@link openSource} takes them. */
  readonly references: readonly string[];
  readonly options: OpenOptions;
  readonly packs: readonly BlobDescriptor[];
  readonly target: string;
  readonly targetOffset: number;
  readonly slabs: number;
  readonly slabBytes: number;
}

/** To a thread. `stop` gives up what is under way; `close` comes when nothing is. */
export type ToThread = { readonly id: number; readonly batch: Batch } | 'stop' | 'close';

/** From a thread. */
export type FromThread =
  | { readonly id: number; readonly tally: Tally }
  | { readonly id: number; readonly error: PlainError };

async function serve(port: MessagePort, setup: ThreadSetup): Promise<void> {
  const target = await DirectFile.open(setup.target, 'r+');
  const source = openSource(setup.references, setup.options);
  const stop = new AbortController();
  const context = {
    ...setup,
    source,
    target,
    slabs: new Slabs(setup.slabs, setup.slabBytes),
    inflater: new Inflater(),
    zeroer: new Zeroer(target),
    signal: stop.signal,
  };
  const work = async (id: number, batch: Batch): Promise<FromThread> => {
    try {
      if (batch.mode === 'verify') return { id, tally: await verifyBatch(batch, context) };
      const job = new BatchWork(batch, context);
      job.fetch();
      return { id, tally: await job.finish() };
    } catch (error) {
      return { id, error: toPlainError(error) };
    }
  };
  const close = async (): Promise<void> => {
    context.zeroer.close();
    await Promise.all([source.close(), target.close()]);
    port.close();
  };
  port.on('message', (message: ToThread) => {
    if (message === 'stop') stop.abort();
    else if (message === 'close') void close();
    else void work(message.id, message.batch).then((answer) => port.postMessage(answer));
  });
}

if (parentPort) await serve(parentPort, workerData);
