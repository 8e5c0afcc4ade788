/** What can go wrong with a place that images come from: a class for each kind, because only some are worth another try. */
import type { Digest } from '../digest.ts';

/** What was being done when something failed. */
export interface Task {
  /** A gerund and its object, without the source, e.g. `reading bytes 0 to 4095 of sha256:…`. */
  readonly doing: string;
  /** Name of the place, without credentials. */
  readonly source: string;
  /** Whether something is got from the place or brought to it; default `from`. */
  readonly direction?: 'from' | 'to';
  readonly blob?: Digest;
  /** In the blob, in bytes. */
  readonly offset?: number;
  readonly length?: number;
}

/** Facts of a failure beside its task. */
export interface FailureFacts {
  readonly expected?: string | number;
  readonly found?: string | number;
  readonly cause?: unknown;
}

/** A place did not do what it was asked for. */
export abstract class SourceError extends Error {
  /** Whether the same place may give it when it is asked again. */
  abstract readonly retryable: boolean;
  readonly task: Task;
  readonly source: string;
  readonly blob: Digest | undefined;
  readonly expected: string | number | undefined;
  readonly found: string | number | undefined;

  /** @param why what happened, for people; never holds a secret */
  constructor(task: Task, why: string, facts: FailureFacts = {}) {
    const { expected, found, cause } = facts;
    const difference = expected === undefined ? '' : `; expected ${expected}, found ${found ?? 'nothing'}`;
    super(
      `${task.doing} ${task.direction ?? 'from'} ${task.source}: ${why}${difference}`,
      cause === undefined ? {} : { cause },
    );
    this.task = task;
    this.source = task.source;
    this.blob = task.blob;
    this.expected = expected;
    this.found = found;
  }
}

/** Not reached, too slow, or busy: refused, timed out, 429, 5xx. */
export class Unavailable extends SourceError {
  override readonly name = 'Unavailable';
  override readonly retryable = true;
  /** What the server itself asks for (`Retry-After`), in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(task: Task, why: string, facts: FailureFacts & { retryAfterMs?: number | undefined } = {}) {
    super(task, why, facts);
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** The answer ended before it was whole. */
export class Interrupted extends SourceError {
  override readonly name = 'Interrupted';
  override readonly retryable = true;
}

/** The place does not have it. */
export class NotFound extends SourceError {
  override readonly name = 'NotFound';
  override readonly retryable = false;
}

/** Credentials are missing, wrong, or do not suffice. */
export class AccessDenied extends SourceError {
  override readonly name = 'AccessDenied';
  override readonly retryable = false;
}

/** The server's identity could not be verified, or no secure connection was possible. */
export class TlsFailure extends SourceError {
  override readonly name = 'TlsFailure';
  override readonly retryable = false;
}

/** What came is not what was asked for: another size, another digest. */
export class WrongContent extends SourceError {
  override readonly name = 'WrongContent';
  override readonly retryable = false;
}

/** An answer that the protocol does not foresee. */
export class UnexpectedAnswer extends SourceError {
  override readonly name = 'UnexpectedAnswer';
  override readonly retryable = false;
}

/** Every place was asked, and none gave it. */
export class AllSourcesFailed extends Error {
  override readonly name = 'AllSourcesFailed';
  /** The last failure of each place. */
  readonly failures: readonly Error[];

  constructor(doing: string, failures: readonly Error[]) {
    super(`${doing}: no source gave it: ${failures.map(({ message }) => message).join(' | ')}`, {
      cause: new AggregateError(failures),
    });
    this.failures = failures;
  }
}

/** Says what is read, e.g. `reading bytes 0 to 4095 of sha256:…`. */
export function rangeTask(source: string, blob: Digest, offset: number, length: number): Task {
  return {
    doing: `reading bytes ${offset} to ${offset + length - 1} of ${blob}`,
    source,
    blob,
    offset,
    length,
  };
}
