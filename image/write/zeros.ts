/** Making parts of a target zero, the fast way where it has one. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { alignedBuffer, type DirectFile } from '../direct-file.ts';
import type { Extent } from './batch.ts';

/** Smaller runs of zeros are written with the chunks beside them: starting a process takes longer. */
export const SMALL_ZEROS_BYTES = 1 << 20;

const ZERO_BYTES = 4 << 20;

const run = promisify(execFile);

/** Zeroes extents of one target. */
export class Zeroer {
  readonly #target: DirectFile;
  #canPunch = true;
  #zeros: Buffer | undefined;

  constructor(target: DirectFile) {
    this.#target = target;
  }

  /**
   * Afterwards the extent reads as zeros.
   *
   * fallocate(2) punches holes into files, and into block devices too: there the kernel does it only where the device says that
   * the blocks read as zeros afterwards, and refuses otherwise instead of writing them itself (`BLKDEV_ZERO_NOFALLBACK` in
   * block/fops.c). Plain discard promises nothing of the kind. Node has no call for it; util-linux has.
   * @throws ImageIoError
   */
  async zero({ offset, length }: Extent): Promise<void> {
    if (this.#canPunch) {
      try {
        const { path } = this.#target;
        await run('fallocate', ['--punch-hole', '--offset', `${offset}`, '--length', `${length}`, path]);
        return;
      } catch {
        // Whatever the reason was: writing works, or says better what is wrong.
        this.#canPunch = false;
      }
    }
    await this.#write({ offset, length });
  }

  async #write({ offset, length }: Extent): Promise<void> {
    this.#zeros ??= alignedBuffer(ZERO_BYTES);
    for (let done = 0; done < length; done += ZERO_BYTES) {
      await this.#target.write(this.#zeros.subarray(0, Math.min(ZERO_BYTES, length - done)), offset + done);
    }
  }
}
