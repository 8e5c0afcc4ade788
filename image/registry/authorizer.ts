/** Who we are for one repository: credentials are looked up when they are demanded, tokens kept until they end. */
import { AccessDenied, type Task } from '../source/errors.ts';
import type { HttpClient } from '../source/http.ts';
import type { AuthOptions } from './auth-file.ts';
import { type Challenge, parseChallenge } from './challenge.ts';
import { basic, type Credentials, nameOf } from './credentials.ts';
import type { Token } from './token.ts';

/** Authorises requests to one repository. What reads credentials is loaded when they are demanded: web servers and folders have none. */
export class Authorizer {
  readonly #http: HttpClient;
  readonly #credentials: () => Promise<Credentials | undefined>;
  readonly #allowPlain: boolean;
  readonly #tokens = new Map<string, Token>();
  readonly #pending = new Map<string, Promise<Token>>();
  #known: Promise<Credentials | undefined> | undefined;

  /** @param place host as in the reference, and repository */
  constructor(
    http: HttpClient,
    place: { readonly host: string; readonly repository: string; readonly allowPlain: boolean },
    options: AuthOptions,
  ) {
    this.#http = http;
    this.#allowPlain = place.allowPlain;
    this.#credentials = async () => {
      const { findCredentials } = await import('./auth-file.ts');
      return await findCredentials(place.host, place.repository, options);
    };
  }

  /** What is already known to be accepted; undefined before the first demand. */
  current(scope: string): string | undefined {
    const token = this.#tokens.get(scope);
    return token && token.expiresAt > Date.now() ? token.authorization : undefined;
  }

  /**
   * Answers a demand.
   * @param header `WWW-Authenticate` of the answer with status 401
   * @param used what the refused request was authorised with
   * @throws AccessDenied where there is no answer to it
   */
  async answer(
    task: Task,
    { header, scope, used }: { header: string | undefined; scope: string; used: string | undefined },
  ): Promise<string> {
    // Another request may have got a token since this one was sent.
    const current = this.current(scope);
    if (current !== undefined && current !== used) return current;
    const challenge = parseChallenge(header);
    if (!challenge) throw new AccessDenied(task, 'it demands an unknown kind of authentication');
    // Requests that are refused at the same time wait for the same token; so it is not given up when one of them is.
    const pending = this.#pending.get(scope) ?? this.#getToken(task, challenge, scope);
    this.#pending.set(scope, pending);
    try {
      const token = await pending;
      this.#tokens.set(scope, token);
      return token.authorization;
    } finally {
      this.#pending.delete(scope);
    }
  }

  /** The failure of a request that was refused although it was authorised. */
  async refused(task: Task, cause: unknown): Promise<AccessDenied> {
    const credentials = await this.#known;
    return new AccessDenied(task, `it refuses ${nameOf(credentials)}`, { cause });
  }

  async #getToken(task: Task, challenge: Challenge, scope: string): Promise<Token> {
    this.#known ??= this.#credentials();
    const credentials = await this.#known;
    if (challenge.kind === 'bearer' && credentials?.kind !== 'bearer') {
      const { fetchToken } = await import('./token.ts');
      const allowPlain = this.#allowPlain;
      return await fetchToken(task, this.#http, { challenge, credentials, scope, allowPlain });
    }
    return { authorization: direct(task, credentials), expiresAt: Number.POSITIVE_INFINITY };
  }
}

function direct(task: Task, credentials: Credentials | undefined): string {
  switch (credentials?.kind) {
    case 'password':
      return basic(credentials.username, credentials.password);
    case 'bearer':
      return `Bearer ${credentials.token}`;
    default:
      throw new AccessDenied(task, 'it demands credentials, and no credentials file has any for it');
  }
}
