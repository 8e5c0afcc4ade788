/** Failures of a write, which know their chunk; and how they travel from a worker thread, where only plain errors arrive. */
import { ImageIoError, TargetTooSmall } from '../io-error.ts';
import type { AllSourcesFailed, SourceError } from '../source/errors.ts';

/** What is known of bytes that are not what the chunk table says. */
export interface CorruptFacts {
  /** In the chunk table; undefined where the table has none, because everything is to be zero. */
  readonly chunk: number | undefined;
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly length: number;
  /** Where the bytes came from: a reference, or the path of the target. */
  readonly source: string;
  readonly expected: string;
  readonly found: string;
}

/** Bytes of a chunk are not what the table says, and there is no other place to get them from. */
export class CorruptChunk extends Error {
  override readonly name = 'CorruptChunk';
  readonly chunk: number | undefined;
  readonly offset: number;
  readonly length: number;
  readonly source: string;
  readonly expected: string;
  readonly found: string;

  constructor(facts: CorruptFacts, cause?: unknown) {
    const { chunk, offset, source, expected, found } = facts;
    super(
      `reading ${chunk === undefined ? 'zeros' : `chunk ${chunk}`} (byte ${offset} of the image) from ${source}: expected ${expected}, found ${found}`,
      { ...(cause !== undefined && { cause }) },
    );
    this.chunk = chunk;
    this.offset = offset;
    this.length = facts.length;
    this.source = source;
    this.expected = expected;
    this.found = found;
  }
}

/** Chunks that are wanted from one place of a pack did not come. */
export class ChunksNotRead extends Error {
  override readonly name = 'ChunksNotRead';
  /** The first of them, in the chunk table. */
  readonly chunk: number;
  /** Where that begins, in bytes from the start of the image. */
  readonly offset: number;
  /** Of the part's packs. */
  readonly pack: number;

  /** @param cause what the source said */
  constructor(
    first: { readonly index: number; readonly offset: number; readonly pack: number },
    others: number,
    cause: SourceError | AllSourcesFailed,
  ) {
    const { index, offset, pack } = first;
    const more = others > 0 ? ` and ${others} more` : '';
    super(`fetching chunk ${index} (byte ${offset} of the image)${more}: ${cause.message}`, { cause });
    this.chunk = index;
    this.offset = offset;
    this.pack = pack;
  }
}

/** A worker thread ended though nobody told it to: out of memory, or a crash of Node itself. */
export class WorkerDied extends Error {
  override readonly name = 'WorkerDied';
}

/** An error as plain data. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: PlainError | string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Classes that keep their identity between threads: callers tell failures apart by them. */
const CLASSES: ReadonlyMap<string, { readonly prototype: Error }> = new Map(
  Object.entries({ CorruptChunk, ImageIoError, TargetTooSmall }),
);

const OWN = new Set(['name', 'message', 'stack', 'cause']);

/** The error as data that can be posted to another thread. */
export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return toPlainError(new Error(String(error)));
  const { name, message, stack, cause } = error;
  const fields = Object.entries(error).filter(
    ([key, value]) => !OWN.has(key) && ['string', 'number', 'boolean'].includes(typeof value),
  );
  return {
    name,
    message,
    stack,
    cause: cause === undefined ? undefined : cause instanceof Error ? toPlainError(cause) : String(cause),
    fields: Object.fromEntries(fields),
  };
}

/** The error again: of its class where that is one of ours, with its message, fields and causes. */
export function fromPlainError({ name, message, stack, cause, fields }: PlainError): Error {
  const error = new Error(message, {
    ...(cause !== undefined && { cause: typeof cause === 'string' ? cause : fromPlainError(cause) }),
  });
  const known = CLASSES.get(name);
  if (known) Object.setPrototypeOf(error, known.prototype);
  return Object.assign(error, { name, ...fields, ...(stack !== undefined && { stack }) });
}

/**
 * The failure of chunks that were wrong at one place and did not come from another: of both, the wrong bytes are what somebody has
 * to mend.
 * @param elsewhere what the other place said; becomes the last cause
 */
export function wrongAndNotElsewhere(wrong: PlainError, elsewhere: unknown): Error {
  const error = fromPlainError(wrong);
  let last = error;
  while (last.cause instanceof Error) last = last.cause;
  last.cause = new Error('another place was asked for it, and did not give it', { cause: elsewhere });
  return error;
}
