/** A repository of a registry that speaks the OCI distribution API (distribution-spec v1.1). */
import type { Readable } from 'node:stream';
import { AccessDenied, type Task } from '../source/errors.ts';
import { HttpClient, type HttpOptions } from '../source/http.ts';
import type { HttpAnswer } from '../source/http-answer.ts';
import type { RegistryReference } from '../source/reference.ts';
import type { AuthOptions } from './auth-file.ts';
import { Authorizer } from './authorizer.ts';

/** How to speak with a registry. */
export interface RegistryOptions extends HttpOptions, AuthOptions {
  /** Without TLS; default false. */
  readonly plainHttp?: boolean;
}

/** A request below `/v2/REPOSITORY/`, or to an address that the registry gave. */
export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly to: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called again where the request must be repeated. */
  readonly body?: () => Buffer | Readable;
  readonly access: 'pull' | 'push';
  /** Another repository that must be readable, for mounting its blobs. */
  readonly alsoPull?: string | undefined;
  readonly answerTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Docker Hub's API is not where its name says. */
const API_HOSTS: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/** Sends authorised requests to one repository. */
export class RegistryClient {
  readonly #repository: string;
  readonly #base: URL;
  readonly #http: HttpClient;
  readonly #authorizer: Authorizer;

  constructor({ host, repository }: RegistryReference, options: RegistryOptions = {}) {
    const plain = options.plainHttp ?? false;
    this.#repository = repository;
    this.#base = new URL(`${plain ? 'http' : 'https'}://${API_HOSTS[host] ?? host}/v2/${repository}/`);
    this.#http = new HttpClient(this.#base.host, options);
    this.#authorizer = new Authorizer(this.#http, { host, repository, allowPlain: plain }, options);
  }

  /** An address that an answer gave, e.g. for an upload; relative ones are the registry's own. */
  address(location: string): URL {
    return new URL(location, this.#base);
  }

  /**
   * Sends a request, a second time where the registry demands to know who we are.
   * @throws SourceError; other states than 401 are for the caller to judge
   */
  async send(task: Task, request: RegistryRequest): Promise<HttpAnswer> {
    const { access, alsoPull } = request;
    const scope = [
      `repository:${this.#repository}:${access === 'push' ? 'pull,push' : 'pull'}`,
      ...(alsoPull === undefined ? [] : [`repository:${alsoPull}:pull`]),
    ].join(' ');
    const known = this.#authorizer.current(scope);
    const first = await this.#send(task, request, known);
    if (first.status !== 401) return first;
    const header = first.header('www-authenticate');
    await first.drain();
    const authorization = await this.#authorizer.answer(task, { header, scope, used: known });
    const second = await this.#send(task, request, authorization);
    if (second.status !== 401 && second.status !== 403) return second;
    const failure = await second.failure();
    throw failure instanceof AccessDenied ? await this.#authorizer.refused(task, failure) : failure;
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    await this.#http.close();
  }

  #send(
    task: Task,
    { method, to, headers, body, answerTimeoutMs, signal }: RegistryRequest,
    authorization: string | undefined,
  ): Promise<HttpAnswer> {
    const url = new URL(to, this.#base);
    return this.#http.send(task, {
      method,
      url,
      ...(headers && { headers }),
      // An upload may go to another server, which has its own way to know us.
      authorization: url.origin === this.#base.origin ? authorization : undefined,
      ...(body && { body: body() }),
      ...(answerTimeoutMs !== undefined && { answerTimeoutMs }),
      signal,
    });
  }
}
