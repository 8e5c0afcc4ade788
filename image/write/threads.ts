/** Worker threads, some of them started before it is known what they will write: while they start, the image's table is read. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

const MAX_THREADS = 4;

/** Beside this file; where everything is bundled into one, beside that. */
const THREAD = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);

/**
 * A thread's heap needs about 10 MiB: what it works on lies outside. Without these limits a heap grows by 20 MiB more before its garbage is
 * looked for.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 };

const newThread = (): Worker => new Worker(THREAD, { resourceLimits });

const waiting: Worker[] = [];

/** One for each core, but no more than the memory of a small machine has room for. */
export const defaultThreads = (): number => Math.min(MAX_THREADS, availableParallelism());

/** Starts threads for a write that will follow. They keep no process alive that has nothing else to do. */
export function startThreads(count = defaultThreads()): void {
  while (waiting.length < count) {
    const worker = newThread();
    worker.unref();
    waiting.push(worker);
  }
}

/** A thread that waits for its setup; a new one where none does. */
export function takeThread(): Worker {
  const worker = waiting.pop() ?? newThread();
  worker.ref();
  return worker;
}

/** Ends those that nobody took: each holds memory. */
export function endSpareThreads(): void {
  for (const worker of waiting.splice(0)) void worker.terminate();
}
