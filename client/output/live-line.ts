/** The one line at the bottom of a terminal that moves: a bar where bytes are known, else what is being done. */
import cliProgress, { type Options, type Params, type SingleBar } from 'cli-progress';
import { formatBytes, formatDuration } from './format.ts';
import { printable } from './printable.ts';

/** What the line tells. */
export interface Live {
  /** Begins a new line where it changes. */
  readonly title: string;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  readonly message?: string;
  /** ISO 8601; tells how long it has been going on, where bytes do not. */
  readonly since?: string;
}

const BAR_WIDTH = 24;
/** Rates are taken over this time: long enough to be calm, short enough to show a disk that slows down. */
const RATE_WINDOW_MS = 10_000;

/** Draws it on standard error, so that results can be piped. */
export class LiveLine {
  #bar: SingleBar | undefined;
  #title: string | undefined;
  #samples: { at: number; bytes: number }[] = [];

  /** Shows or changes the line. */
  show(live: Live): void {
    if (live.title !== this.#title) this.clear();
    this.#title = live.title;
    const done = live.doneBytes ?? 0;
    this.#sample(done);
    const payload = { text: this.#text(live) };
    const total = live.totalBytes ?? 0;
    if (this.#bar) {
      this.#bar.setTotal(Math.max(total, 1));
      this.#bar.update(Math.min(done, Math.max(total, 1)), payload);
      return;
    }
    this.#bar = new cliProgress.SingleBar({
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
      linewrap: false,
      barsize: BAR_WIDTH,
      barCompleteChar: '━',
      barIncompleteChar: '─',
      // Its own handler would keep SIGTERM from ending this process; whoever shows the line takes it away.
      gracefulExit: false,
      format: (options, params, { text }: { text: string }) => drawn(options, params, live.title, text),
    });
    this.#bar.start(Math.max(total, 1), Math.min(done, Math.max(total, 1)), payload);
  }

  /** Takes the line away, e.g. to print another. */
  clear(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#title = undefined;
    this.#samples = [];
  }

  #sample(bytes: number): void {
    const at = Date.now();
    const last = this.#samples.at(-1);
    // Fewer bytes than before: a new attempt, whose rate the old one says nothing about.
    if (last && bytes < last.bytes) this.#samples = [];
    this.#samples.push({ at, bytes });
    this.#samples = this.#samples.filter((sample) => at - sample.at <= RATE_WINDOW_MS);
  }

  #text({ doneBytes, totalBytes, message, since }: Live): string {
    if (doneBytes === undefined || !totalBytes) {
      return [since && formatDuration(Date.now() - Date.parse(since)), message].filter(Boolean).join('  ');
    }
    const rate = this.#rate();
    return [
      `${Math.floor((100 * doneBytes) / totalBytes)} %`,
      `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
      rate > 0 && `${formatBytes(rate)}/s`,
      rate > 0 && `${formatDuration(((totalBytes - doneBytes) / rate) * 1000)} left`,
      message,
    ]
      .filter(Boolean)
      .join('  ');
  }

  /** Bytes per second. */
  #rate(): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.at === first.at) return 0;
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
  }
}

function drawn(options: Options, params: Params, title: string, text: string): string {
  // A terminal that does not know its size says 0.
  const width = (process.stderr.columns || 80) - 1;
  const told = (bar: string): string => printable(`  ${title}  ${bar}${text}`.replaceAll('\n', ' '));
  const bar = params.total > 1 ? `${cliProgress.Format.BarFormat(params.progress, options)} ` : '';
  const line = told(bar);
  // Rate and time left say more than a bar.
  return (line.length > width ? told('') : line).slice(0, width);
}
