/** Reading the server's log while it is written: JSON lines of pino. */
import { open } from 'node:fs/promises';

/** A line of the log as people read it. */
export interface LogLine {
  readonly level: number;
  readonly text: string;
}

/** pino's number of level `warn`. */
export const LEVEL_WARN = 40;
const LEVEL_INFO = 30;

/** Reads what is appended to a log file after a position. */
export class LogTail {
  readonly #path: string;
  #position: number;
  #rest = '';

  /** @param position where to begin, in bytes */
  constructor(path: string, position: number) {
    this.#path = path;
    this.#position = position;
  }

  /** The whole lines since the last call. */
  async read(): Promise<LogLine[]> {
    const file = await open(this.#path, 'r');
    try {
      const { size } = await file.stat();
      const buffer = Buffer.alloc(Math.max(0, size - this.#position));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#position);
      this.#position += bytesRead;
      const lines = (this.#rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
      this.#rest = lines.pop() ?? '';
      return lines.filter((line) => line.trim() !== '').map(readLine);
    } finally {
      await file.close();
    }
  }
}

/** A line of pino, or a line of something else (a crash) as it stands. */
function readLine(line: string): LogLine {
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry === 'object' && entry !== null && 'msg' in entry) {
      const level = 'level' in entry && typeof entry.level === 'number' ? entry.level : LEVEL_INFO;
      return { level, text: String(entry.msg) + reasonOf(entry) };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { level: LEVEL_INFO, text: line };
}

function reasonOf(entry: object): string {
  const reason = 'err' in entry ? entry.err : undefined;
  if (typeof reason !== 'object' || reason === null || !('message' in reason)) return '';
  return `: ${String(reason.message)}`;
}
