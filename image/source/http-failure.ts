/** Failures of connections and refusing answers, told apart by what can be done about them. */
import { errorCode } from '../io-error.ts';
import {
  AccessDenied,
  Interrupted,
  NotFound,
  type SourceError,
  type Task,
  TlsFailure,
  Unavailable,
  UnexpectedAnswer,
  WrongContent,
} from './errors.ts';

/** Codes of OpenSSL's verification (`X509_V_ERR_…` in Node's spelling) and of Node's and OpenSSL's handshake. */
const TLS_CODE =
  /^(CERT_|ERR_TLS_|ERR_SSL_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_(GET|VERIFY|DECRYPT)_|EPROTO$|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH)/;

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host is not known',
  EAI_AGAIN: 'the name server does not answer',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  UND_ERR_CONNECT_TIMEOUT: 'no connection within the time limit',
  UND_ERR_HEADERS_TIMEOUT: 'no answer within the time limit',
  UND_ERR_BODY_TIMEOUT: 'it fell silent in the middle of the answer',
};

const LOST = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_ABORTED', 'UND_ERR_CLOSED']);

/** What an exception of a connection means. */
export function transportFailure(task: Task, cause: unknown): SourceError {
  const code = firstCode(cause);
  if (code !== undefined && TLS_CODE.test(code)) {
    return new TlsFailure(task, `no secure connection: ${reasonOf(cause)} (${code})`, { cause });
  }
  const reason = code === undefined ? undefined : REASONS[code];
  if (reason !== undefined) return new Unavailable(task, `${reason} (${code})`, { cause });
  if (code !== undefined && LOST.has(code)) {
    return new Interrupted(task, 'the connection was lost', { cause });
  }
  if (code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH') {
    return new WrongContent(task, 'what is sent has another length than it should', { cause });
  }
  if (code?.startsWith('HPE_')) {
    return new UnexpectedAnswer(task, `the answer is no HTTP (${code})`, { cause });
  }
  return new Unavailable(task, reasonOf(cause), { cause });
}

/** What a status that is not success means. */
export function statusFailure(
  task: Task,
  {
    status,
    retryAfter,
    said,
  }: { status: number; retryAfter?: string | undefined; said?: string | undefined },
): SourceError {
  const why = `status ${status}${said ? `: ${said}` : ''}`;
  if (status === 401 || status === 403) return new AccessDenied(task, why);
  if (status === 404 || status === 410) return new NotFound(task, why);
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(retryAfter);
    return new Unavailable(task, why, {
      retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
    });
  }
  return new UnexpectedAnswer(task, why);
}

/** A name with several addresses fails with one error for each. */
function firstCode(error: unknown): string | undefined {
  if (error instanceof AggregateError) {
    return error.errors.map(firstCode).find((code) => code !== undefined) ?? errorCode(error);
  }
  return errorCode(error) ?? (error instanceof Error && error.cause ? firstCode(error.cause) : undefined);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
