/** gRPC on the wire, as far as one request and one answer need it: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createGunzip } from 'node:zlib';
import { type ServiceError, status } from '@grpc/grpc-js';

const HEADER_BYTES = 5;
const STOP_MS = 1_000;
const DETAILS = 'grpc-status-details-bin';
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** How a call failed. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  readonly code: status;
  /** `google.rpc.Status`, where the server gave one. */
  readonly details: Buffer | undefined;

  constructor(code: status, message: string, details?: Buffer) {
    super(message);
    this.code = code;
    this.details = details;
  }

  /** What Temporal, or the way to it, said. */
  static from(error: unknown): CallFailed {
    if (error instanceof CallFailed) return error;
    if (!isServiceError(error))
      return new CallFailed(status.INTERNAL, 'the gateway failed; its log says why');
    const [details] = error.metadata.get(DETAILS);
    return new CallFailed(error.code, error.details, Buffer.isBuffer(details) ? details : undefined);
  }
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && typeof error.code === 'number' && 'metadata' in error;

/** @returns whether a request is a gRPC call */
export const isGrpc = (contentType: string | undefined): boolean =>
  contentType !== undefined && /^application\/grpc(?:\+proto)?(?:;|$)/.test(contentType);

/** @returns milliseconds that the caller waits; undefined where it does not say */
export function timeoutOf(header: string | undefined): number | undefined {
  const [, amount, unit] = /^(\d{1,8})([HMSmun])$/.exec(header ?? '') ?? [];
  return amount === undefined || unit === undefined ? undefined : Number(amount) * (UNITS[unit] ?? 0);
}

/** How a message is read. */
export interface Reading {
  readonly maxBytes: number;
  readonly timeoutMs: number;
  /** Asked each time before more memory is taken; false refuses the message. */
  readonly reserve: (bytes: number) => boolean;
}

/**
 * Reads the one message of a request. What is too large is refused by its announced length, before it has come.
 * @throws CallFailed
 */
export async function readMessage(request: Http2ServerRequest, reading: Reading): Promise<Uint8Array> {
  const timer = setTimeout(
    () => request.destroy(new CallFailed(status.DEADLINE_EXCEEDED, 'the request did not come in time')),
    reading.timeoutMs,
  );
  try {
    const { isCompressed, message } = await readFrame(request, reading);
    return isCompressed ? await decompress(request, message, reading) : message;
  } finally {
    clearTimeout(timer);
  }
}

async function readFrame(
  request: Http2ServerRequest,
  { maxBytes, reserve }: Reading,
): Promise<{ isCompressed: boolean; message: Buffer }> {
  const chunks: Buffer[] = [];
  let received = 0;
  let announced: number | undefined;
  let isCompressed = false;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk);
    received += chunk.length;
    if (announced === undefined && received >= HEADER_BYTES) {
      const header = Buffer.concat(chunks);
      isCompressed = header[0] === 1;
      announced = header.readUInt32BE(1);
      if (announced > maxBytes) {
        const said = `the message has ${announced} bytes, and may have ${maxBytes}`;
        throw new CallFailed(status.RESOURCE_EXHAUSTED, said);
      }
      if (!reserve(announced)) throw tooManyBytes();
    }
    if (received > HEADER_BYTES + (announced ?? 0)) break;
  }
  if (announced === undefined || received !== HEADER_BYTES + announced) {
    throw new CallFailed(status.INVALID_ARGUMENT, 'the request is not one whole message');
  }
  return { isCompressed, message: Buffer.concat(chunks).subarray(HEADER_BYTES) };
}

const tooManyBytes = (): CallFailed =>
  new CallFailed(status.RESOURCE_EXHAUSTED, 'too many bytes of this machine are under way; try again');

/** A hundred thousandth of a message may have been on the wire: what it becomes is reserved as it becomes. */
async function decompress(
  request: Http2ServerRequest,
  message: Buffer,
  { maxBytes, reserve }: Reading,
): Promise<Buffer> {
  const encoding = request.headers['grpc-encoding'];
  if (encoding !== 'gzip') {
    throw new CallFailed(
      status.UNIMPLEMENTED,
      `messages compressed by ${String(encoding)} are not understood`,
    );
  }
  const wrong = `the message is no gzip, or more than ${maxBytes} bytes of it`;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    const inflated = createGunzip();
    inflated.end(message);
    for await (const chunk of inflated as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw new CallFailed(status.RESOURCE_EXHAUSTED, wrong);
      if (!reserve(chunk.length)) throw tooManyBytes();
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof CallFailed ? error : new CallFailed(status.RESOURCE_EXHAUSTED, wrong);
  }
  return Buffer.concat(chunks);
}

const GRPC_HEADERS = { 'content-type': 'application/grpc+proto', 'grpc-accept-encoding': 'gzip' };

/** Answers a call. */
export function sendMessage(response: Http2ServerResponse, message: Uint8Array): void {
  if (response.stream.destroyed) return;
  const frame = Buffer.allocUnsafe(HEADER_BYTES + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEADER_BYTES);
  response.writeHead(constants.HTTP_STATUS_OK, GRPC_HEADERS);
  response.addTrailers({ 'grpc-status': String(status.OK) });
  response.end(frame);
}

/** Tells that a call failed; what still comes of its request is not read. */
export function sendFailure(response: Http2ServerResponse, failure: CallFailed): void {
  const { stream } = response;
  if (stream.destroyed) return;
  response.writeHead(constants.HTTP_STATUS_OK, GRPC_HEADERS);
  response.addTrailers({
    'grpc-status': String(failure.code),
    // Percent-encoded, as the protocol wants it.
    'grpc-message': encodeURIComponent(failure.message).slice(0, 2_048),
    ...(failure.details && { [DETAILS]: failure.details.toString('base64') }),
  });
  response.end();
  // Whoever is still sending is stopped, after it has had time to read why: clients take a reset for a failure of its own.
  const stop = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), STOP_MS).unref();
  stream.once('close', () => clearTimeout(stop));
}
