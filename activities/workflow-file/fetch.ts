/** Gets a small file from a web server: whole, of bounded size, in bounded time, and from nowhere else. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Interrupted,
  SourceError,
  type Task,
  Unavailable,
  UnexpectedAnswer,
} from '../../image/source/errors.ts';
import { statusFailure, transportFailure } from '../../image/source/http-failure.ts';

/** How a file is fetched. */
export interface FetchLimits {
  readonly maxBytes: number;
  /** For one attempt, from its beginning to the last byte; default 30 s. */
  readonly timeoutMs?: number;
  /** Pauses before the attempts after the first, where another one may help; default 2, 4 and 8 s. */
  readonly pausesMs?: readonly number[];
}

/** Switches and DHCP servers take their time. */
const PAUSES_MS = [2000, 4000, 8000];
const TIMEOUT_MS = 30_000;

/**
 * Node's own `fetch`: with a client of one's own for a few kilobytes the agent would grow by a quarter of a megabyte. Authorities besides
 * Node's come from `NODE_EXTRA_CA_CERTS`.
 * @param what for messages, e.g. `the workflow file`
 * @throws SourceError
 */
export async function fetchFile(url: URL, what: string, limits: FetchLimits): Promise<Buffer> {
  const task: Task = { doing: `reading ${what}`, source: url.href };
  const pauses = limits.pausesMs ?? PAUSES_MS;
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetchOnce(url, task, limits);
    } catch (error) {
      const pause = pauses[attempt];
      if (pause === undefined || !(error instanceof SourceError && error.retryable)) throw error;
      await sleep(pause);
    }
  }
}

async function fetchOnce(
  url: URL,
  task: Task,
  { maxBytes, timeoutMs = TIMEOUT_MS }: FetchLimits,
): Promise<Buffer> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await fetch(url, {
      redirect: 'manual',
      signal,
      headers: { 'user-agent': 'iguana', 'accept-encoding': 'identity' },
    });
    if (answer.status !== 200) {
      // Unread, it would keep the connection, and with it the process.
      await answer.body?.cancel();
      const to = answer.headers.get('location');
      if (answer.status >= 300 && answer.status < 400 && to !== null)
        throw new UnexpectedAnswer(task, `it redirects to ${printable(to)}, which is not followed`);
      throw statusFailure(task, { status: answer.status });
    }
    return await readAtMost(answer, task, maxBytes);
  } catch (error) {
    if (error instanceof SourceError) throw error;
    if (signal.aborted)
      throw new Unavailable(task, `no whole answer within ${timeoutMs / 1000} s`, { cause: error });
    // "fetch failed" says nothing.
    throw transportFailure(task, error instanceof TypeError && error.cause ? error.cause : error);
  }
}

async function readAtMost(answer: Response, task: Task, maxBytes: number): Promise<Buffer> {
  const announced = answer.headers.get('content-length');
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  if (Number(announced ?? 0) <= maxBytes) {
    for await (const piece of answer.body ?? []) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > maxBytes) break;
    }
  }
  if (bytes > maxBytes || Number(announced ?? 0) > maxBytes) {
    await answer.body?.cancel().catch(() => undefined);
    throw new UnexpectedAnswer(task, 'it is too large', {
      expected: `at most ${maxBytes} bytes`,
      found: announced === null ? 'more' : `${Number(announced)} bytes`,
    });
  }
  // A server that packs it, unasked, announces what is packed; a packed answer that is cut fails when it is unpacked.
  const isPacked = (answer.headers.get('content-encoding') ?? 'identity') !== 'identity';
  if (!isPacked && announced !== null && Number(announced) !== bytes)
    throw new Interrupted(task, 'the answer ended early', {
      expected: `${Number(announced)} bytes`,
      found: `${bytes} bytes`,
    });
  return Buffer.concat(pieces);
}

/** Of a stranger's server. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
