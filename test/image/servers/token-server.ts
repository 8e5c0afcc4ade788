/** An authorisation server whose tokens docker-registry verifies: signed JWTs (distribution's token authentication specification). */
import { createPublicKey, randomUUID, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import Fastify from 'fastify';
import { atEnd } from './at-end.ts';
import { folderWith } from './folder.ts';

const ISSUER = 'test-issuer';
const SERVICE = 'test-service';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A running server. */
export interface TokenServer {
  /** For the registry. */
  readonly registryConfiguration: Readonly<Record<string, string>>;
  /** Every scope for which a token was asked. */
  readonly scopes: readonly string[];
}

/** @param user the only one that gets tokens */
export async function startTokenServer(user: { name: string; password: string }): Promise<TokenServer> {
  const folder = folderWith();
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=token server', '-days', '2', '-nodes'];
  await execa('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-keyout', key, '-out', cert, ...subject]);
  const privateKey = await readFile(key, 'utf8');
  // The registry finds the certificate in its bundle by the key's own numbers.
  const jwk = createPublicKey(await readFile(cert, 'utf8')).export({ format: 'jwk' });
  const chain = (await readFile(cert, 'utf8')).replaceAll(/-----.*-----|\s/g, '');
  const scopes: string[] = [];
  const server = Fastify();
  server.get<{ Querystring: { scope?: string; service?: string } }>('/token', async (request, reply) => {
    const expected = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;
    if (request.headers.authorization !== expected) return await reply.code(401).send({});
    const { scope = '' } = request.query;
    const asked = new URLSearchParams(request.url.slice(request.url.indexOf('?'))).getAll('scope');
    scopes.push(asked.join(' '));
    const now = Math.floor(Date.now() / 1000);
    const access = scope.split(' ').map((one) => {
      const [type, name, actions = ''] = one.split(':');
      return { type, name, actions: actions.split(',') };
    });
    const claims = {
      iss: ISSUER,
      sub: user.name,
      aud: SERVICE,
      iat: now,
      nbf: now - 10,
      exp: now + 300,
      jti: randomUUID(),
      access,
    };
    const head = {
      typ: 'JWT',
      alg: 'RS256',
      jwk: { kty: 'RSA', n: jwk.n, e: jwk.e, x5c: [chain] },
      x5c: [chain],
    };
    const signed = `${encode(head)}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), privateKey).toString('base64url');
    return { token: `${signed}.${signature}`, expires_in: 300 };
  });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  atEnd(() => server.close());
  return {
    registryConfiguration: {
      realm: `${address}/token`,
      service: SERVICE,
      issuer: ISSUER,
      rootcertbundle: cert,
    },
    scopes,
  };
}
