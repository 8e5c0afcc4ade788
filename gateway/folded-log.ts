/** A log that strangers cannot fill: whoever asks a thousand times a second makes a line, and each interval one more that says how often. */
import type { Logger } from 'pino';

const REPEAT_MS = 10_000;

interface Line {
  readonly level: 'info' | 'warn' | 'error';
  /** What helps to find the culprit; never payloads. */
  readonly details: object;
  readonly message: string;
}

/** The lines of one gateway process whose number strangers choose. */
export class FoldedLog {
  readonly #logger: Logger;
  readonly #repeats = new Map<string, Line & { count: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#timer = setInterval(() => this.#tell(), REPEAT_MS).unref();
  }

  /** @param key what makes a line the same as one before; of the same ones the details of the first are told */
  say(key: string, line: Line): void {
    const known = this.#repeats.get(key);
    if (known) {
      known.count++;
      return;
    }
    this.#repeats.set(key, { ...line, count: 0 });
    this.#logger[line.level](line.details, line.message);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#tell();
  }

  #tell(): void {
    for (const { level, details, message, count } of this.#repeats.values()) {
      if (count > 0) this.#logger[level]({ ...details, count }, `${message} again`);
    }
    this.#repeats.clear();
  }
}
