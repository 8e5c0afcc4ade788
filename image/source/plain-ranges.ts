/** Reads ranges over plain HTTP with connections of its own, kept alive. */
import { Interrupted, type Task, Unavailable } from './errors.ts';
import { CONNECTIONS, type HttpOptions, IDLE_TIMEOUT_MS } from './http.ts';
import { statusFailure } from './http-failure.ts';
import { RangeConnection, Silence } from './range-connection.ts';

/** A range of a file on a server. */
export interface PlainRange {
  readonly url: URL;
  readonly authorization?: string | undefined;
  readonly first: number;
  readonly length: number;
  /** Of the whole file. */
  readonly sizeBytes: number;
  readonly signal?: AbortSignal | undefined;
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
  async read(task: Task, range: PlainRange): Promise<Buffer | undefined> {
    const { url, authorization, first, length, sizeBytes, signal } = range;
    signal?.throwIfAborted();
    const connection = await this.#take(url);
    const stop = (): void => connection.close();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const into = Buffer.allocUnsafeSlow(length);
      const last = first + length - 1;
      const lines = [
        `GET ${url.pathname}${url.search} HTTP/1.1`,
        `host: ${url.host}`,
        'user-agent: iguana',
        `range: bytes=${first}-${last}`,
        ...(authorization === undefined ? [] : [`authorization: ${authorization}`]),
      ];
      const outcome = await connection.get({
        head: `${lines.join('\r\n')}\r\n\r\n`,
        range: `bytes ${first}-${last}/${sizeBytes}`,
        into,
      });
      signal?.throwIfAborted();
      if (outcome === 'plain') return into;
      // Of a shorter file the general way tells more.
      if (outcome === 'other' || ('status' in outcome && outcome.status === 416)) return undefined;
      if ('status' in outcome) throw statusFailure(task, outcome);
      const { foundBytes, cause } = outcome;
      const facts = { expected: `${length} bytes`, found: `${foundBytes} bytes`, cause };
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
