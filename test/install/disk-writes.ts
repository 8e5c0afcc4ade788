/** How much is written to a disk image through its loop device, whichever it is at the moment. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** Often enough that no loop device changes hands between two looks. */
const INTERVAL_MS = 20;

interface Loop {
  /** Name of the file without its folder. */
  readonly file: string;
  readonly sectors: number;
}

/**
 * Counts from when it is made until it is disposed of. Devices are told by the file's name alone: the kernel says its path as the
 * agent's container had it, and not even that when the container is gone.
 */
export class DiskWrites implements Disposable {
  readonly #name: string;
  readonly #timer: NodeJS.Timeout;
  #loops = loops();
  #sectors = 0;

  constructor(path: string) {
    this.#name = basename(path);
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
  }

  /** Bytes so far. */
  get bytes(): number {
    this.#look();
    return this.#sectors * 512;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = loops();
    for (const [name, { file, sectors }] of now) {
      const before = this.#loops.get(name);
      if (file !== this.#name && before?.file !== this.#name) continue;
      // A device that was removed and made again counts anew.
      const isSame = before !== undefined && before.sectors <= sectors;
      this.#sectors += isSame ? sectors - before.sectors : sectors;
    }
    this.#loops = now;
  }
}

/** Written sectors of 512 bytes since each device exists (Documentation/block/stat.rst, field 7), and the file it stands for. */
function loops(): Map<string, Loop> {
  const found = new Map<string, Loop>();
  for (const name of readdirSync('/sys/block').filter((each) => each.startsWith('loop'))) {
    const text = (file: string): string => {
      try {
        return readFileSync(`/sys/block/${name}/${file}`, 'utf8').trim();
      } catch (error) {
        // A free one has no file; one that vanishes meanwhile has no device, either (ENODEV).
        if (error instanceof Error && 'code' in error && /^(ENOENT|ENODEV)$/.test(`${error.code}`)) return '';
        throw error;
      }
    };
    const file = basename(text('loop/backing_file'));
    found.set(name, { file, sectors: Number(text('stat').split(/\s+/)[6] ?? 0) });
  }
  return found;
}
