/** The door: one port, TLS 1.3, HTTP/1.1 and HTTP/2, and no more connections of anybody than are his share. */
import { X509Certificate } from 'node:crypto';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { markSeen } from '../host/enrolment/machines.ts';
import type { GatewayPaths } from '../host/enrolment/paths.ts';
import { type MachineAccess, type Peer, peerOf } from './access.ts';
import { type Authority, SERVER_LIFETIME_MS } from './authority/authority.ts';
import { type Limits, Rate, Tally } from './limits.ts';
import { type GatewayRecord, NOBODY } from './record.ts';

/** A machine that answers neither of two pings is gone: it was switched off, and TCP would know in hours. */
const PING_MS = 10_000;

/** What the door needs. */
export interface ListenerOptions {
  readonly paths: GatewayPaths;
  readonly authority: Authority;
  /** Host names and addresses of this gateway, for its certificate. */
  readonly names: readonly string[];
  readonly access: MachineAccess;
  readonly limits: Limits;
  readonly record: GatewayRecord;
}

/** The door of one gateway process. */
export class Listener {
  readonly server: Http2SecureServer;
  readonly #options: ListenerOptions;
  readonly #authority: X509Certificate;
  readonly #peers = new WeakMap<object, Peer>();
  readonly #machines: Tally;
  readonly #strangers: Tally;
  readonly #arrivals: Rate;
  readonly #sockets = new Set<Socket>();
  readonly #renewal: NodeJS.Timeout;

  private constructor(server: Http2SecureServer, options: ListenerOptions) {
    this.server = server;
    this.#options = options;
    this.#authority = new X509Certificate(options.authority.certificate);
    this.#machines = new Tally(options.limits.machineConnections);
    this.#strangers = new Tally(options.limits.strangerConnections);
    this.#arrivals = new Rate(options.limits.newConnectionsPerSecond);
    server.on('connection', (socket: Socket) => void this.#arrived(socket));
    // HTTP sees only the connections that are let in.
    const [serve] = server.listeners('secureConnection');
    server.removeAllListeners('secureConnection');
    server.on('secureConnection', (socket: TLSSocket) => {
      if (this.#letIn(socket)) serve?.call(server, socket);
    });
    server.on('session', (session) => this.#watch(session));
    server.on('sessionError', (error: Error) =>
      options.record.logger.debug({ err: error }, 'a session failed'),
    );
    server.on('tlsClientError', (error: Error & { code?: string }, socket: TLSSocket) => {
      options.record.handshakeFailed(reasonOf(error), socket.remoteAddress);
      socket.destroy();
    });
    this.#renewal = setInterval(() => void this.#renew(), SERVER_LIFETIME_MS / 3).unref();
  }

  /** Makes the door; it listens when told to. */
  static async create(options: ListenerOptions): Promise<Listener> {
    const { authority, names, limits } = options;
    const server = createSecureServer({
      ...(await authority.issueServer(names)),
      ca: authority.certificate,
      // Enrolling needs none; what needs one asks for it at every request.
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      handshakeTimeout: limits.handshakeMs,
      // Of a resumed session the client's certificate is not verified again.
      sessionTimeout: 1,
      allowHTTP1: true,
      settings: {
        maxConcurrentStreams: limits.machineCalls,
        maxHeaderListSize: 16 * 1024,
        enablePush: false,
      },
    });
    return new Listener(server, options);
  }

  /** Who is at the other end of a request. */
  peer(request: Http2ServerRequest | { readonly socket: Socket }): Peer {
    const session = 'stream' in request ? request.stream.session : undefined;
    return this.#peerOf(session ?? request.socket, () => request.socket);
  }

  #peerOf(holder: object, socket: () => Socket): Peer {
    const known = this.#peers.get(holder);
    if (known) return known;
    try {
      const peer = peerOf(socket() as TLSSocket, this.#authority);
      this.#peers.set(holder, peer);
      return peer;
    } catch {
      // It is gone already: of a session that has ended, Node gives no socket.
      return { address: undefined, problem: 'no-certificate' };
    }
  }

  /** @param serve called for each request */
  onRequest(serve: (peer: Peer, request: Http2ServerRequest, response: Http2ServerResponse) => void): void {
    this.server.on('request', (request, response) => {
      const peer = this.peer(request);
      // Node sets its own time between two requests, and none during the next one.
      if (peer.certificate && request.httpVersionMajor === 1)
        request.socket.setTimeout(this.#options.limits.silenceMs);
      serve(peer, request, response);
    });
  }

  /** Ends all connections at once: whoever is connected comes back, here or to another gateway. */
  async close(): Promise<void> {
    clearInterval(this.#renewal);
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #arrived(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const address = socket.remoteAddress;
    if (await this.#arrivals.allows(address ?? NOBODY)) return;
    this.#options.record.denied(
      { machine: NOBODY, method: 'connect', reason: 'limit-arrivals' },
      { address },
    );
    socket.destroy();
  }

  #letIn(socket: TLSSocket): boolean {
    const { record, limits } = this.#options;
    const { certificate, address } = this.#peerOf(socket, () => socket);
    const release = certificate
      ? this.#machines.take(certificate.machineId)
      : this.#strangers.take(address ?? NOBODY);
    if (!release) {
      const machine = certificate?.machineId ?? NOBODY;
      record.denied({ machine, method: 'connect', reason: 'limit-connections' }, { address });
      socket.destroy();
      return false;
    }
    record.connections(1);
    const tooLong = () => {
      record.denied({ machine: NOBODY, method: 'connect', reason: 'limit-time' }, { address });
      socket.destroy();
    };
    const timer = certificate ? undefined : setTimeout(tooLong, limits.strangerMs);
    // After a power cut it would stay among the connections of its machine, which comes back and has no share left.
    if (certificate && socket.alpnProtocol !== 'h2')
      socket.setTimeout(limits.silenceMs, () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(timer);
      release();
      record.connections(-1);
    });
    return true;
  }

  /** Pings a machine for as long as it is connected, and notes that it is there. */
  #watch(session: ServerHttp2Session): void {
    if (session.destroyed) return;
    const peer = this.#peerOf(session, () => session.socket);
    session.on('error', (error) => this.#options.record.logger.debug({ err: error }, 'a session failed'));
    if (!peer.certificate) return;
    let unanswered = 0;
    const timer = setInterval(() => {
      if (++unanswered > 2) session.destroy();
      else if (!session.destroyed) session.ping((error) => void (error || seen()));
    }, PING_MS);
    const seen = () => {
      unanswered = 0;
      void this.#seen(peer);
    };
    seen();
    session.once('close', () => clearInterval(timer));
  }

  /** Only for the key that the machine has now: an old one that still answers must not keep the new one out. */
  async #seen(peer: Peer): Promise<void> {
    const { access, paths, record } = this.#options;
    try {
      const machine = await access.check(peer);
      if (typeof machine !== 'string') await markSeen(paths, machine.machineId);
    } catch (error) {
      record.logger.warn({ err: error }, 'noting that a machine is there failed');
    }
  }

  async #renew(): Promise<void> {
    const { authority, names, record } = this.#options;
    try {
      const own = await authority.issueServer(names);
      this.server.setSecureContext({ ...own, ca: authority.certificate, minVersion: 'TLSv1.3' });
    } catch (error) {
      record.logger.error(
        { err: error },
        'renewing the certificate of the gateway failed; trying again in ten days',
      );
    }
  }
}

/** OpenSSL's name of a failure: a label, so nothing that the other side chooses. */
const reasonOf = ({ code }: { code?: string }): string =>
  (code ?? 'unknown').replace(/^ERR_SSL_/, '').toLowerCase();
