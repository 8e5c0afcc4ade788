/** The log of one attempt to build an image. */

import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Lines of the end that a failure carries. */
const EXCERPT_LINES = 20;
/** Lines that are looked at to find out why a build failed: apt's own words come before those of its callers. */
const KEPT_LINES = 2_000;

/** A log file, the last lines of which are kept in memory. */
export class BuildLog {
  readonly path: string;
  readonly #stream: WriteStream;
  #lines: string[] = [];
  #error: Error | undefined;

  private constructor(path: string, stream: WriteStream) {
    this.path = path;
    this.#stream = stream;
    // A log that cannot be written does not stop a build; a full disk will be noticed where it matters.
    stream.on('error', (error) => {
      this.#error = error;
    });
  }

  /** Opens the log; that of an earlier attempt is replaced. */
  static async open(path: string): Promise<BuildLog> {
    await mkdir(dirname(path), { recursive: true });
    const stream = createWriteStream(path);
    await once(stream, 'open');
    return new BuildLog(path, stream);
  }

  /** Adds a line. */
  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > 2 * KEPT_LINES) this.#lines = this.#lines.slice(-KEPT_LINES);
    if (!this.#error) this.#stream.write(`${line}\n`);
  }

  /** Forgets the lines in memory, not those in the file: what another attempt said explains nothing about the next. */
  beginAttempt(): void {
    this.#lines = [];
  }

  /** The last lines that are in memory. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** The end, for people. */
  get excerpt(): readonly string[] {
    return this.#lines.slice(-EXCERPT_LINES);
  }

  async close(): Promise<void> {
    if (this.#error) return;
    this.#stream.end();
    await once(this.#stream, 'close');
  }
}
