/** The agent's requests to its gateway, which it knows by the digest of a certificate and trusts by nothing else. */
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { EnrolAnswer, EnrolRequest, WaitAnswer } from '../../host/enrolment/api.ts';
import type { EnrolmentSettings } from './settings.ts';

const TIMEOUT_MS = 15_000;

/** The gateway has said no; asking the same again gets the same answer. */
export class GatewayRefused extends Error {
  override readonly name = 'GatewayRefused';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What the system says of a machine that has no address, no route or no name server yet. */
const AWAY: ReadonlySet<unknown> = new Set([
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTUNREACH',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
]);

/** Whether a request failed because this machine's own network is not there. */
export function isNetworkAway(error: unknown): boolean {
  return error instanceof Error && 'code' in error && AWAY.has(error.code);
}

/** A certificate with its key, PEM. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/** What a request may come with. */
interface Sending {
  readonly body?: object;
  /** Undefined only to fetch it. */
  readonly ca: string | undefined;
  readonly client?: ClientCertificate;
}

/**
 * The authority's certificate, PEM. It comes over a connection that proves nothing, and is compared with the digest.
 * @throws Error where it is another one
 */
export async function fetchAuthority({ gateway, caDigest }: EnrolmentSettings): Promise<string> {
  const pem = await ask(new URL('/v1/ca', gateway), { ca: undefined });
  const { raw } = new X509Certificate(pem);
  const digest = `sha256:${createHash('sha256').update(raw).digest('hex')}`;
  if (digest === caDigest) return pem;
  throw new Error(
    `comparing the authority of ${gateway.origin}: its digest is ${digest}, and IGUANA_CA_DIGEST says ${caDigest}. Somebody else answers there, or the ` +
      'boot image is for another gateway',
  );
}

/**
 * Asks for a certificate.
 * @throws GatewayRefused
 */
export async function requestCertificate(
  { gateway }: EnrolmentSettings,
  ca: string,
  body: EnrolRequest,
): Promise<EnrolAnswer | WaitAnswer> {
  const answer = await ask(new URL('/v1/enrol', gateway), { ca, body });
  return JSON.parse(answer) as EnrolAnswer | WaitAnswer;
}

/**
 * Asks for the next certificate, with the present one.
 * @throws GatewayRefused
 */
export async function renewCertificate(
  { gateway }: EnrolmentSettings,
  ca: string,
  client: ClientCertificate,
  csr: string,
): Promise<EnrolAnswer> {
  const answer = await ask(new URL('/v1/renew', gateway), { ca, client, body: { csr } });
  return JSON.parse(answer) as EnrolAnswer;
}

/**
 * Asks for a secret that the install of this machine names.
 * @throws GatewayRefused; with status 404 where there is none
 */
export async function requestSecret(
  { gateway }: EnrolmentSettings,
  ca: string,
  client: ClientCertificate,
  name: string,
): Promise<string> {
  const url = new URL(`/v1/secrets/${encodeURIComponent(name)}`, gateway);
  return await ask(url, { ca, client });
}

/** By Node's own client: what a starting machine would load besides costs it a second, and a handful of requests have no use for a pool. */
async function ask(url: URL, { body, ca, client }: Sending): Promise<string> {
  const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
  const sent = request(url, {
    method: body ? 'POST' : 'GET',
    ...(body && { headers: { 'content-type': 'application/json' } }),
    minVersion: 'TLSv1.3',
    ...trust,
    ...client,
    agent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  // A connection that breaks in the middle of an answer is told here as well; nobody listening would end the process.
  sent.on('error', () => undefined);
  sent.end(body && JSON.stringify(body));
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const said = await text(answer);
  const status = answer.statusCode ?? 0;
  if (status >= 200 && status < 300) return said;
  const message = `asking ${url.href}: answer ${status}: ${said.slice(0, 1_024)}`;
  // Too much at once, or a gateway in trouble: that passes.
  if (status === 429 || status >= 500) throw new Error(message);
  throw new GatewayRefused(status, message);
}
