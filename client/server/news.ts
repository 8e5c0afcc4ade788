/** What the server of this host says while an install waits for it, e.g. that it makes the agent's container. */
import { stat } from 'node:fs/promises';
import type { StatePaths } from '../../host/state.ts';
import { LEVEL_WARN, type LogLine, LogTail } from './log-tail.ts';
import { serverLog } from './start.ts';

/** Follows the server's log from now on. */
export class ServerNews {
  readonly #tail: LogTail;
  /** A server that tries again and again says the same again and again. */
  readonly #told = new Set<string>();

  private constructor(tail: LogTail) {
    this.#tail = tail;
  }

  /** @returns undefined where no server of this host has a log: it runs elsewhere, or in the foreground */
  static async open(paths: StatePaths): Promise<ServerNews | undefined> {
    const path = serverLog(paths);
    try {
      return new ServerNews(new LogTail(path, (await stat(path)).size));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Warnings and errors since the last call that were not told before. */
  async warnings(): Promise<string[]> {
    const lines: readonly LogLine[] = await this.#tail.read();
    const news = lines.filter(({ level, text }) => level >= LEVEL_WARN && !this.#told.has(text));
    for (const { text } of news) this.#told.add(text);
    return [...new Set(news.map(({ text }) => text))];
  }
}
