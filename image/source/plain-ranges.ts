/** Reads files and ranges of them over plain HTTP with connections of its own, kept alive. */
import { Interrupted, type Task, Unavailable } from './errors.ts';
import { CONNECTIONS, type HttpOptions, IDLE_TIMEOUT_MS } from './http.ts';
import { statusFailure } from './http-failure.ts';
import { RangeConnection, type RangeRequest, Silence } from './range-connection.ts';
import type { Allocate } from './source.ts';

/** A file on a server. */
export interface PlainFile {
  readonly url: URL;
  readonly authorization?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A range of one. */
export interface PlainRange extends PlainFile {
  readonly first: number;
  readonly length: number;
  /** Of the whole file. */
  readonly sizeBytes: number;
  /** Gives the memory; default new. */
  readonly allocate?: Allocate | undefined;
}

/** Connections to one server. */
export class PlainRanges {
  readonly #idle: RangeConnection[] = [];
  readonly #busy = new Set<RangeConnection>();
  readonly #idleTimeoutMs: number;
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];

  constructor({ idleTimeoutMs = IDLE_TIMEOUT_MS, connections = CONNECTIONS }: HttpOptions) {
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#limit = connections;
  }

  /**
   * Reads a range.
   * @returns undefined where the server answers anything but the range alone: the general client will say what
   * @throws Interrupted, Unavailable where the answer ended early or did not come; what the status of a refusal means
   */
  async range(
    task: Task,
    { first, length, sizeBytes, allocate, ...file }: PlainRange,
  ): Promise<Buffer | undefined> {
    const last = first + length - 1;
    return await this.#get(task, file, {
      lines: [`range: bytes=${first}-${last}`],
      range: `bytes ${first}-${last}/${sizeBytes}`,
      room: (found) => (found === length ? (allocate ?? Buffer.allocUnsafeSlow)(length) : undefined),
    });
  }

  /**
   * Reads a whole file, where it is at most so long.
   * @returns as {@link range}
   */
  async whole(task: Task, file: PlainFile, maxBytes: number): Promise<Buffer | undefined> {
    return await this.#get(task, file, {
      lines: [],
      range: undefined,
      room: (found) => (found > 0 && found <= maxBytes ? Buffer.allocUnsafeSlow(found) : undefined),
    });
  }

  async #get(
    task: Task,
    { url, authorization, signal }: PlainFile,
    { lines, ...wanted }: { lines: readonly string[] } & Pick<RangeRequest, 'range' | 'room'>,
  ): Promise<Buffer | undefined> {
    signal?.throwIfAborted();
    const connection = await this.#take(url);
    const stop = (): void => connection.close();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const head = [
        `GET ${url.pathname}${url.search} HTTP/1.1`,
        `host: ${url.host}`,
        'user-agent: iguana',
        ...lines,
        ...(authorization === undefined ? [] : [`authorization: ${authorization}`]),
      ];
      const outcome = await connection.get({ head: `${head.join('\r\n')}\r\n\r\n`, ...wanted });
      signal?.throwIfAborted();
      // Of a shorter file the general way tells more.
      if (outcome === 'other' || ('status' in outcome && outcome.status === 416)) return undefined;
      if ('bytes' in outcome) return outcome.bytes;
      if ('status' in outcome) throw statusFailure(task, outcome);
      const { foundBytes, expectedBytes, cause } = outcome;
      // What was asked for, where not even the head of an answer came; of a file nobody knows.
      const expected = expectedBytes || task.length;
      const facts = {
        ...(expected !== undefined && { expected: `${expected} bytes`, found: `${foundBytes} bytes` }),
        cause,
      };
      throw cause instanceof Silence
        ? new Unavailable(task, cause.message, facts)
        : new Interrupted(task, 'the answer ended early', facts);
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#busy.delete(connection);
      if (connection.isUsable) this.#idle.push(connection);
      else connection.close();
      this.#waiting.shift()?.();
    }
  }

  /** Ends all connections. */
  close(): void {
    for (const connection of [...this.#idle, ...this.#busy]) connection.close();
  }

  async #take(url: URL): Promise<RangeConnection> {
    while (this.#busy.size >= this.#limit)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    let connection = this.#idle.pop();
    while (connection && !connection.isUsable) connection = this.#idle.pop();
    connection ??= new RangeConnection(url, { idleTimeoutMs: this.#idleTimeoutMs });
    this.#busy.add(connection);
    return connection;
  }
}
