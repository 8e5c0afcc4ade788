/**
 * One connection over which ranges of files are read into memory that is there already.
 *
 * A general client hands out every 64 KiB in a buffer of its own, which is copied, and collected as garbage later: at a gigabyte a
 * second that is a third of a core, and a hundred megabytes. This one speaks the little of HTTP/1.1 (RFC 9112) that the plainest
 * answer to a range request needs; whatever else a server says is left to the general client.
 */
import { connect, type Socket } from 'node:net';

/** The server said nothing for too long. */
export class Silence extends Error {
  override readonly name = 'Silence';
}

/** What is asked for. */
export interface RangeRequest {
  /** The request as it is sent. */
  readonly head: string;
  /** `Content-Range` of the answer. */
  readonly range: string;
  readonly into: Buffer;
}

/**
 * How a request ended: `plain`, all is there; `other`, it must be asked in the general way; with a status of refusal; or with the
 * bytes that came before the end.
 */
export type RangeOutcome =
  | 'plain'
  | 'other'
  | { readonly status: number; readonly retryAfter: string | undefined }
  | { readonly foundBytes: number; readonly cause: unknown };

const READ_BYTES = 256 << 10;
const MAX_HEAD_BYTES = 16 << 10;

interface Pending {
  readonly request: RangeRequest;
  readonly settle: (outcome: RangeOutcome) => void;
  /** The head of the answer as far as it came; undefined when it is over. */
  head: string | undefined;
  at: number;
}

/** A connection, used by one request after the other. */
export class RangeConnection {
  readonly #socket: Socket;
  #pending: Pending | undefined;
  #closed: { readonly cause: unknown } | undefined;
  #keepsAlive = true;

  constructor({ hostname, port }: URL, { idleTimeoutMs }: { idleTimeoutMs: number }) {
    this.#socket = connect({
      // Brackets are the URL's, not the address's.
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port || 80),
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (length, buffer) => {
          this.#received(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      },
    });
    this.#socket.setTimeout(idleTimeoutMs, () =>
      this.#socket.destroy(new Silence('nothing came within the time limit')),
    );
    this.#socket.on('error', (cause) => this.#end(cause)).on('close', () => this.#end(undefined));
    // An idle connection is no reason to go on living.
    this.#socket.unref();
  }

  /** Whether another request can be sent. */
  get isUsable(): boolean {
    return this.#closed === undefined && this.#keepsAlive;
  }

  /** Sends a request and reads the answer; one at a time. */
  async get(request: RangeRequest): Promise<RangeOutcome> {
    if (this.#closed) return 'other';
    const { promise, resolve } = Promise.withResolvers<RangeOutcome>();
    this.#pending = { request, settle: resolve, head: '', at: 0 };
    this.#socket.ref();
    this.#socket.write(request.head);
    const outcome = await promise;
    this.#socket.unref();
    return outcome;
  }

  /** What is being read fails. */
  close(): void {
    this.#socket.destroy();
  }

  #received(data: Buffer): void {
    const pending = this.#pending;
    if (!pending) {
      // Nothing was asked for.
      this.#socket.destroy();
      return;
    }
    const body = pending.head === undefined ? data : this.#readHead(pending, data);
    if (!body || this.#pending !== pending) return;
    const { into } = pending.request;
    if (pending.at + body.length > into.length) {
      this.#giveUp();
      return;
    }
    pending.at += body.copy(into, pending.at);
    if (pending.at === into.length) this.#settle('plain');
  }

  /** @returns what follows the head, where it is over and plain */
  #readHead(pending: Pending, data: Buffer): Buffer | undefined {
    const before = pending.head ?? '';
    const head = before + data.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      pending.head = head;
      if (head.length > MAX_HEAD_BYTES) this.#giveUp();
      return undefined;
    }
    const { into, range } = pending.request;
    const answer = parseHead(head.slice(0, end));
    if (!isPlain(answer, { length: into.length, range })) {
      const { status, headers } = answer;
      this.#giveUp(status >= 400 ? { status, retryAfter: headers.get('retry-after') } : 'other');
      return undefined;
    }
    this.#keepsAlive = answer.headers.get('connection')?.toLowerCase() !== 'close';
    pending.head = undefined;
    return data.subarray(end + 4 - before.length);
  }

  #giveUp(outcome: RangeOutcome = 'other'): void {
    this.#settle(outcome);
    this.#socket.destroy();
  }

  #end(cause: unknown): void {
    this.#closed ??= { cause };
    const pending = this.#pending;
    if (!pending) return;
    const isTold = pending.head === undefined || cause instanceof Silence;
    this.#settle(isTold ? { foundBytes: pending.at, cause } : 'other');
  }

  #settle(outcome: RangeOutcome): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.settle(outcome);
  }
}

interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** No header came twice. */
  readonly isSimple: boolean;
}

/** @returns status 0 for what is no HTTP/1.1 */
function parseHead(head: string): Head {
  const [first = '', ...lines] = head.split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const [, status] = /^HTTP\/1\.1 (\d{3})\b/.exec(first) ?? [];
  return { status: Number(status ?? 0), headers, isSimple: headers.size === lines.length };
}

/** Status 206 with exactly the range, in one piece of known length. */
function isPlain(
  { status, headers, isSimple }: Head,
  { length, range }: { length: number; range: string },
): boolean {
  return (
    status === 206 &&
    isSimple &&
    headers.get('content-length') === String(length) &&
    headers.get('content-range') === range &&
    !headers.has('transfer-encoding') &&
    !headers.has('content-encoding')
  );
}
