/**
 * One connection over which files and ranges of them are read straight into the memory where they are wanted.
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
  /** `Content-Range` of the answer; undefined where the whole file is wanted. */
  readonly range: string | undefined;
  /** Memory for an answer of this length; undefined where that cannot be the right one. */
  room(length: number): Buffer | undefined;
}

/**
 * How a request ended: with the bytes, all of them; `other`, it must be asked in the general way; with a status of refusal; or with the
 * bytes that came before the end.
 */
export type RangeOutcome =
  | { readonly bytes: Buffer }
  | 'other'
  | { readonly status: number; readonly retryAfter: string | undefined }
  | { readonly foundBytes: number; readonly expectedBytes: number; readonly cause: unknown };

const MAX_HEAD_BYTES = 16 << 10;

interface Pending {
  readonly request: RangeRequest;
  readonly settle: (outcome: RangeOutcome) => void;
  /** The head of the answer as far as it came. */
  head: string;
  /** Where the body goes; undefined until the head is over. */
  into: Buffer | undefined;
  at: number;
}

/** A connection, used by one request after the other. */
export class RangeConnection {
  readonly #socket: Socket;
  /** For heads, and the bytes that come with them; bodies are read to where they belong. */
  readonly #scratch = Buffer.allocUnsafeSlow(MAX_HEAD_BYTES);
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
        buffer: () => this.#nextRoom(),
        callback: (length, buffer) => {
          this.#received(length, buffer);
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
    this.#pending = { request, settle: resolve, head: '', into: undefined, at: 0 };
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

  /** Asked after every piece, for the next one. */
  #nextRoom(): Buffer {
    const { into, at } = this.#pending ?? {};
    return into && at !== undefined && at < into.length ? into.subarray(at) : this.#scratch;
  }

  #received(length: number, buffer: Uint8Array): void {
    const pending = this.#pending;
    if (!pending) {
      // Nothing was asked for.
      this.#socket.destroy();
      return;
    }
    if (pending.into) pending.at += length;
    else this.#readHead(pending, Buffer.from(buffer.buffer, buffer.byteOffset, length));
    if (this.#pending === pending && pending.at === pending.into?.length)
      this.#settle({ bytes: pending.into });
  }

  #readHead(pending: Pending, data: Buffer): void {
    const before = pending.head;
    const head = before + data.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      pending.head = head;
      if (head.length > MAX_HEAD_BYTES) this.#giveUp();
      return;
    }
    const answer = parseHead(head.slice(0, end));
    const length = plainLength(answer, pending.request.range);
    pending.into = length === undefined ? undefined : pending.request.room(length);
    const body = data.subarray(end + 4 - before.length);
    if (!pending.into || body.length > pending.into.length) {
      const { status, headers } = answer;
      this.#giveUp(status >= 400 ? { status, retryAfter: headers.get('retry-after') } : 'other');
      return;
    }
    this.#keepsAlive = answer.headers.get('connection')?.toLowerCase() !== 'close';
    pending.at = body.copy(pending.into);
  }

  #giveUp(outcome: RangeOutcome = 'other'): void {
    this.#settle(outcome);
    this.#socket.destroy();
  }

  #end(cause: unknown): void {
    this.#closed ??= { cause };
    const pending = this.#pending;
    if (!pending) return;
    const { into, at: foundBytes } = pending;
    const isTold = into !== undefined || cause instanceof Silence;
    this.#settle(isTold ? { foundBytes, expectedBytes: into?.length ?? 0, cause } : 'other');
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

/** @returns the length of an answer in one piece, with status 206 and exactly the range, or 200 where the whole file is wanted */
function plainLength({ status, headers, isSimple }: Head, range: string | undefined): number | undefined {
  const isPlain =
    status === (range === undefined ? 200 : 206) &&
    isSimple &&
    headers.get('content-range') === range &&
    !headers.has('transfer-encoding') &&
    !headers.has('content-encoding');
  const length = headers.get('content-length') ?? '';
  return isPlain && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
