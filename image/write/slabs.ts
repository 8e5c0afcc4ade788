/** The memory of a worker: a few slabs, so that one is written while the next is filled. */
import { alignedBuffer } from '../direct-file.ts';

/** Slabs of one worker thread, used in turns. */
export class Slabs {
  readonly #free: Buffer[];
  readonly #waiting: ((slab: Buffer) => void)[] = [];

  constructor(count: number, bytes: number) {
    this.#free = Array.from({ length: count }, () => alignedBuffer(bytes));
  }

  /** Waits for a slab and lends it out. */
  async with<T>(action: (slab: Buffer) => Promise<T>): Promise<T> {
    const slab = this.#free.pop() ?? (await new Promise<Buffer>((resolve) => this.#waiting.push(resolve)));
    try {
      return await action(slab);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(slab);
      else this.#free.push(slab);
    }
  }
}
