/** Discarding parts of a target in the one way after which they surely read as zeros. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Extent } from './batch.ts';

/** One shell for all holes: starting a process from this one takes ten times as long as from a small one. */
const SCRIPT = `while read -r offset length; do
  fallocate --punch-hole --offset "$offset" --length "$length" "$1" 2>/dev/null && echo done || echo refused
done`;

/**
 * Punches holes into a file or a block device.
 *
 * fallocate(2) does it for block devices too: there the kernel does it only where the device says that the blocks read as zeros
 * afterwards, and refuses otherwise instead of writing them itself (`BLKDEV_ZERO_NOFALLBACK` in block/fops.c). Plain discard
 * promises nothing of the kind. Node has no call for it; util-linux has a program.
 */
export class HolePuncher {
  readonly #path: string;
  readonly #waiting: ((isDone: boolean) => void)[] = [];
  #shell: ChildProcess | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns false where it was refused, and the bytes are what they were */
  async punch({ offset, length }: Extent): Promise<boolean> {
    this.#shell ??= this.#start();
    const { stdin } = this.#shell;
    return await new Promise((resolve) => {
      this.#waiting.push(resolve);
      stdin?.write(`${offset} ${length}\n`);
    });
  }

  close(): void {
    this.#shell?.stdin?.end();
  }

  #start(): ChildProcess {
    const shell = spawn('sh', ['-c', SCRIPT, 'sh', this.#path], { stdio: ['pipe', 'pipe', 'ignore'] });
    const refuseAll = (): void => {
      this.#shell = undefined;
      for (const answer of this.#waiting.splice(0)) answer(false);
    };
    shell.on('error', refuseAll).on('close', refuseAll);
    // Its end is told by `close`.
    shell.stdin.on('error', () => undefined);
    createInterface(shell.stdout)
      .on('line', (line) => this.#waiting.shift()?.(line === 'done'))
      .on('error', () => undefined);
    return shell;
  }
}
