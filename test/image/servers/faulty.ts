/** A web server that serves a folder, and misbehaves when it is told to: what no well-kept server does by itself. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { atEnd } from './at-end.ts';

/** How an answer is wrong. */
export type Fault =
  /** A status, without anything of the file. */
  | { readonly status: number; readonly headers?: string }
  /** The connection is closed, or falls silent, after this part of the body. */
  | { readonly stopAt: number; readonly and: 'close' | 'silence' }
  /** Nothing is ever said. */
  | 'silence'
  /** `Content-Length` is this much more than what comes. */
  | { readonly lengthOff: number }
  /** The bytes are of another place in the file. */
  | 'other-range'
  /** `200` and the whole file. */
  | 'no-ranges'
  /** The bytes are wrong. */
  | 'flipped'
  | { readonly delayMs: number };

/** What was asked, for deciding on a fault. */
export interface Asked {
  readonly path: string;
  /** Of all requests to this server, from 0. */
  readonly index: number;
}

/** A running server. */
export interface FaultyServer {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
}

/** @param faultOf undefined means to behave */
export async function startFaulty(
  folder: string,
  faultOf: (asked: Asked) => Fault | undefined,
): Promise<FaultyServer> {
  const asked: string[] = [];
  const server = createServer((request) => {
    const path = request.url ?? '/';
    asked.push(path);
    // Written by hand: Node's own answers are never wrong.
    answer(request, folder, faultOf({ path, index: asked.length - 1 })).catch(() => request.socket.destroy());
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    // Clients that lose patience reset the connection.
    sockets.add(socket.on('error', () => undefined));
  });
  atEnd(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { url: `http://127.0.0.1:${address.port}`, asked };
}

async function answer({ url, headers, socket }: IncomingMessage, folder: string, fault: Fault | undefined) {
  if (fault === 'silence') return;
  if (typeof fault === 'object' && 'status' in fault) {
    socket.write(`HTTP/1.1 ${fault.status} Fault\r\nContent-Length: 0\r\n${fault.headers ?? ''}\r\n`);
    return;
  }
  if (typeof fault === 'object' && 'delayMs' in fault) await sleep(fault.delayMs);
  const file = await readFile(join(folder, url ?? '/'));
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  const isRange = first !== undefined && fault !== 'no-ranges';
  const shift = fault === 'other-range' ? 1 : 0;
  const from = isRange ? Number(first) + shift : 0;
  const to = isRange ? Number(last) + 1 + shift : file.length;
  const body = Buffer.from(file.subarray(from, to));
  if (fault === 'flipped') body[0] = (body[0] ?? 0) ^ 1;
  const length = body.length + (typeof fault === 'object' && 'lengthOff' in fault ? fault.lengthOff : 0);
  socket.write(
    [
      `HTTP/1.1 ${isRange ? '206 Partial Content' : '200 OK'}`,
      `Content-Length: ${length}`,
      ...(isRange ? [`Content-Range: bytes ${from}-${to - 1}/${file.length}`] : []),
      '\r\n',
    ].join('\r\n'),
  );
  if (typeof fault === 'object' && 'stopAt' in fault) {
    socket.write(body.subarray(0, Math.floor(body.length * fault.stopAt)));
    if (fault.and === 'close') socket.end();
    return;
  }
  socket.write(body);
}
