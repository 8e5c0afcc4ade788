/** Tokens of a registry's authorisation server (distribution's "token authentication specification"). */
import { z } from 'zod';
import { AccessDenied, type Task, UnexpectedAnswer } from '../source/errors.ts';
import type { HttpClient } from '../source/http.ts';
import type { Challenge } from './challenge.ts';
import { basic, type Credentials, nameOf } from './credentials.ts';

/** A token and until when it is good. */
export interface Token {
  readonly authorization: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

const MAX_TOKEN_BYTES = 1 << 20;
/** Where the server says nothing, as the specification has it. */
const DEFAULT_LIFE_S = 60;
/** A token that ends while a request is on its way is of no use. */
const SAFETY_MS = 10_000;

const answerSchema = z.object({
  token: z.string().min(1).optional(),
  access_token: z.string().min(1).optional(),
  expires_in: z.number().positive().optional(),
});

/**
 * Gets a token; without credentials an anonymous one.
 * @param allowPlain whether the authorisation server may be without TLS: where the registry is
 * @throws AccessDenied and other SourceErrors
 */
export async function fetchToken(
  task: Task,
  http: HttpClient,
  {
    challenge,
    credentials,
    scope,
    allowPlain,
  }: {
    challenge: Challenge & { kind: 'bearer' };
    credentials: Credentials | undefined;
    scope: string;
    allowPlain: boolean;
  },
): Promise<Token> {
  const url = URL.parse(challenge.realm);
  const isPlain = url?.protocol === 'http:';
  if (!url || !(url.protocol === 'https:' || (isPlain && allowPlain))) {
    throw new UnexpectedAnswer(task, 'its authorisation server has no address with TLS');
  }
  const wanted = { ...(challenge.service && { service: challenge.service }), scope };
  const answer =
    credentials?.kind === 'identity'
      ? await http.send(task, {
          method: 'POST',
          url,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({
            ...wanted,
            grant_type: 'refresh_token',
            client_id: 'iguana',
            refresh_token: credentials.token,
          }).toString(),
        })
      : await http.send(task, {
          method: 'GET',
          url: withQuery(url, wanted),
          authorization:
            credentials?.kind === 'password' ? basic(credentials.username, credentials.password) : undefined,
        });
  if (answer.status !== 200) {
    const failure = await answer.failure();
    if (!(failure instanceof AccessDenied)) throw failure;
    throw new AccessDenied(task, `the authorisation server ${url.host} refuses ${nameOf(credentials)}`, {
      cause: failure,
    });
  }
  return tokenIn(task, await answer.atMost(MAX_TOKEN_BYTES));
}

function withQuery(url: URL, query: Readonly<Record<string, string>>): URL {
  const full = new URL(url);
  for (const [name, value] of Object.entries(query)) full.searchParams.append(name, value);
  return full;
}

function tokenIn(task: Task, bytes: Buffer): Token {
  const answer = answerSchema.safeParse(parse(bytes)).data;
  const token = answer?.token ?? answer?.access_token;
  if (!token) throw new UnexpectedAnswer(task, 'its authorisation server gave no token');
  const lifeMs = (answer?.expires_in ?? DEFAULT_LIFE_S) * 1000;
  return { authorization: `Bearer ${token}`, expiresAt: Date.now() + lifeMs - SAFETY_MS };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    // Judged by the schema; the parser's message would quote the token.
    return undefined;
  }
}
