/** Private keys: cosign's encrypted ones, and plain PKCS #8. */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  type ScryptOptions,
  scrypt,
  sign,
} from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { z } from 'zod';
import { BadKey, type PublicKey, publicKeyOf, requireP256 } from './public-key.ts';

/** A key that signs. */
export interface PrivateKey {
  readonly key: KeyObject;
  readonly public: PublicKey;
}

/** The password of a key is wrong. */
export class WrongPassword extends BadKey {}

const base64 = z.string().transform((text) => Buffer.from(text, 'base64'));

/** As go-securesystemslib's package `encrypted` writes it, which cosign uses. */
const encryptedSchema = z.object({
  kdf: z.object({
    name: z.literal('scrypt'),
    params: z.object({
      // A file that asks for more memory than a gigabyte was not made by cosign, which takes 65536 and 8: 64 MiB.
      N: z
        .number()
        .int()
        .min(2)
        .max(1 << 20),
      r: z.number().int().min(1).max(8),
      p: z.number().int().min(1).max(16),
    }),
    salt: base64,
  }),
  cipher: z.object({ name: z.literal('nacl/secretbox'), nonce: base64 }),
  ciphertext: base64,
});

const KEY_BYTES = 32;
const ENCRYPTED = /-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/;

/**
 * @param password asked for only where the key is encrypted
 * @throws BadKey, WrongPassword
 */
export async function readPrivateKey(path: string, password: () => Promise<string>): Promise<PrivateKey> {
  const pem = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new BadKey(`reading the private key ${path}: ${String(cause)}`, { cause });
  });
  const body = ENCRYPTED.exec(pem)?.[1];
  const key = body === undefined ? plainKey(path, pem) : await decrypted(path, body, await password());
  requireP256(key, path);
  return { key, public: publicKeyOf(createPublicKey(key), path) };
}

/** Signature of the bytes: base64 of ECDSA's r and s in DER. */
export function signBytes({ key }: PrivateKey, bytes: Buffer): string {
  return sign('sha256', bytes, key).toString('base64');
}

function plainKey(path: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's words may quote the file.
    throw new BadKey(`reading the private key ${path}: it is neither cosign's nor PKCS #8 in PEM`);
  }
}

async function decrypted(path: string, body: string, password: string): Promise<KeyObject> {
  const parsed = encryptedSchema.safeParse(parse(Buffer.from(body, 'base64').toString()));
  if (!parsed.success)
    throw new BadKey(`reading the private key ${path}: it is not encrypted as cosign does`);
  const { kdf, cipher, ciphertext } = parsed.data;
  const { N, r, p } = kdf.params;
  const secret = await derive(password, kdf.salt, { N, r, p, maxmem: 128 * N * r + (64 << 20) });
  let der: Uint8Array;
  try {
    der = xsalsa20poly1305(secret, cipher.nonce).decrypt(ciphertext);
  } catch (cause) {
    throw new WrongPassword(`opening the private key ${path}: the password is wrong`, { cause });
  }
  try {
    return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  } catch {
    throw new BadKey(`reading the private key ${path}: what it holds is no PKCS #8 key`);
  }
}

function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  scrypt(password, salt, KEY_BYTES, options, (error, key) => (error ? reject(error) : resolve(key)));
  return promise;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Judged by the schema.
    return undefined;
  }
}
