/** HTTP for images: connections kept alive, time limits on silence, redirects, and failures as {@link SourceError}s. */
import type { Readable } from 'node:stream';
import type { Agent, Dispatcher } from 'undici';
import { AllSourcesFailed, SourceError, type Task, UnexpectedAnswer } from './errors.ts';
import { HttpAnswer } from './http-answer.ts';
import { transportFailure } from './http-failure.ts';
import { secureContextFor, type TlsOptions } from './http-tls.ts';

/** How to speak with a server. */
export interface HttpOptions extends TlsOptions {
  /** Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** How long a server may say nothing, before an answer or in the middle of it; default 20 s. */
  readonly idleTimeoutMs?: number;
  /** Connections to one server at most; default 16. */
  readonly connections?: number;
}

/** A request. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to the URL's own server only, never to one that it redirects to. */
  readonly authorization?: string | undefined;
  readonly body?: Buffer | string | Readable;
  /** Instead of the client's limit: registries hash a pushed blob before they answer. */
  readonly answerTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Default of {@link HttpOptions.idleTimeoutMs}. */
export const IDLE_TIMEOUT_MS = 20_000;

/** Default of {@link HttpOptions.connections}. */
export const CONNECTIONS = 16;

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Loaded when it is needed: that takes as long as starting Node, and plain servers are read without it. */
const loadUndici = () => import('./undici.ts');

/** A client for one server and those it redirects to. */
export class HttpClient {
  readonly #host: string;
  readonly #options: HttpOptions;
  readonly #agents = new Map<'plain' | 'own' | 'other', Promise<Agent>>();

  /** @param host of the server, with its port: whose certificates are used */
  constructor(host: string, options: HttpOptions = {}) {
    this.#host = host;
    this.#options = options;
  }

  /**
   * Sends a request; the status is for the caller to judge. GET and HEAD follow redirects.
   * @throws SourceError where there is no answer
   */
  async send(task: Task, { url: first, authorization, ...rest }: HttpRequest): Promise<HttpAnswer> {
    let url = first;
    for (let hops = 0; ; hops++) {
      const answer = await this.#sendOnce(task, {
        ...rest,
        url,
        authorization: url.origin === first.origin ? authorization : undefined,
      });
      const location = answer.header('location');
      const follows = rest.method === 'GET' || rest.method === 'HEAD';
      if (!follows || !REDIRECTS.has(answer.status) || location === undefined) return answer;
      await answer.drain();
      url = redirected(task, url, location);
      if (hops === MAX_REDIRECTS) throw new UnexpectedAnswer(task, `more than ${MAX_REDIRECTS} redirects`);
    }
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    await Promise.all(agents.map(async (agent) => (await agent).destroy()));
  }

  async #sendOnce(
    task: Task,
    { method, url, headers, authorization, body, answerTimeoutMs, signal }: HttpRequest,
  ): Promise<HttpAnswer> {
    const [{ request }, dispatcher] = await Promise.all([loadUndici(), this.#agentFor(url)]);
    try {
      const answer: Dispatcher.ResponseData = await request(url, {
        dispatcher,
        method,
        headers: {
          'user-agent': 'iguana',
          // Compressed on the way, a range would be one of other bytes.
          'accept-encoding': 'identity',
          ...headers,
          ...(authorization !== undefined && { authorization }),
        },
        ...(body !== undefined && { body }),
        ...(signal && { signal }),
        ...(answerTimeoutMs !== undefined && { headersTimeout: answerTimeoutMs }),
      });
      return new HttpAnswer(task, answer, signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      // What is being sent is read from somewhere, and that can fail too.
      if (error instanceof SourceError || error instanceof AllSourcesFailed) throw error;
      throw transportFailure(task, error);
    }
  }

  #agentFor({ protocol, host }: URL): Promise<Agent> {
    const kind = protocol === 'http:' ? 'plain' : host === this.#host ? 'own' : 'other';
    const known = this.#agents.get(kind);
    if (known !== undefined) return known;
    const made = this.#makeAgent(kind, host);
    this.#agents.set(kind, made);
    return made;
  }

  async #makeAgent(kind: 'plain' | 'own' | 'other', host: string): Promise<Agent> {
    const {
      connectTimeoutMs = 10_000,
      idleTimeoutMs = IDLE_TIMEOUT_MS,
      connections = CONNECTIONS,
      caFile,
    } = this.#options;
    const { Agent } = await loadUndici();
    // Our own certificate is shown to the server itself, not to those that it redirects to.
    const trust = kind === 'own' ? this.#options : caFile === undefined ? {} : { caFile };
    return new Agent({
      connections,
      headersTimeout: idleTimeoutMs,
      bodyTimeout: idleTimeoutMs,
      connect: {
        timeout: connectTimeoutMs,
        ...(kind !== 'plain' && { secureContext: await secureContextFor(host, trust) }),
      },
    });
  }
}

function redirected(task: Task, from: URL, location: string): URL {
  const to = URL.parse(location, from);
  if (!to || (to.protocol !== 'https:' && to.protocol !== 'http:')) {
    throw new UnexpectedAnswer(task, 'it redirects to something that is no web address');
  }
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new UnexpectedAnswer(task, `it redirects to ${to.host} without TLS`);
  }
  return to;
}
