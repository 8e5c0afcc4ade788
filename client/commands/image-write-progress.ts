/** How far `iguana image write` is: a line that moves on a terminal, else a line now and then on standard error. */
import type { WriteProgress } from '../../image/write/request.ts';
import { formatBytes, formatDuration } from '../output/format.ts';
import type { LiveLine } from '../output/live-line.ts';
import type { Output } from '../output/output.ts';

/** Where nobody sits at a terminal. */
const PLAIN_MS = 5000;

/** Shows the progress of one write. */
export class WriteProgressView {
  readonly #output: Output;
  readonly #disk: string;
  readonly #live: LiveLine | undefined;
  #lastPlain = Date.now();

  private constructor(output: Output, disk: string, live: LiveLine | undefined) {
    this.#output = output;
    this.#disk = disk;
    this.#live = live;
  }

  /** @param disk as it was named */
  static async open(output: Output, disk: string): Promise<WriteProgressView> {
    const live = output.interactive ? new (await import('../output/live-line.ts')).LiveLine() : undefined;
    return new WriteProgressView(output, disk, live);
  }

  show(progress: WriteProgress): void {
    const { phase, doneBytes, totalBytes } = progress;
    const title = `${phase} ${this.#disk}`;
    const message = phase === 'writing' ? tallyText(progress) : '';
    if (this.#live) this.#live.show({ title, doneBytes, totalBytes, message });
    else if (Date.now() - this.#lastPlain >= PLAIN_MS) {
      this.#lastPlain = Date.now();
      this.#output.note([`${title}: ${speedText(progress)}`, message].filter(Boolean).join('; '));
    }
  }

  /** Takes away what moves. */
  clear(): void {
    this.#live?.clear();
  }
}

/** What became of the bytes so far. */
const tallyText = ({ fetched, written, kept, copied, zeros }: WriteProgress): string =>
  [
    `fetched ${formatBytes(fetched)}`,
    `written ${formatBytes(written)}`,
    `reused ${formatBytes(kept + copied)}`,
    `zeros ${formatBytes(zeros)}`,
  ].join(', ');

function speedText({ doneBytes, totalBytes, bytesPerSecond, secondsLeft }: WriteProgress): string {
  const percent = totalBytes > 0 ? Math.floor((100 * doneBytes) / totalBytes) : 100;
  return [
    `${percent} %, ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    `${formatBytes(bytesPerSecond)}/s`,
    ...(secondsLeft === undefined ? [] : [`${formatDuration(secondsLeft * 1000)} left`]),
  ].join(', ');
}
