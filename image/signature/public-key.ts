/** Public keys as cosign writes them: ECDSA on P-256, PEM. */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Digest } from '../digest.ts';

/** A key cannot be used. The message never holds any of it. */
export class BadKey extends Error {
  override readonly name = 'BadKey';
}

/** A key that is trusted. */
export interface PublicKey {
  /** `sha256:` and the digest of the key in DER (SubjectPublicKeyInfo): the same for the same key, wherever it lies. */
  readonly id: Digest;
  /** For messages: the file that it was read from. */
  readonly name: string;
  readonly key: KeyObject;
}

/** @throws BadKey */
export async function readPublicKey(path: string): Promise<PublicKey> {
  const pem = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new BadKey(`reading the public key ${path}: ${String(cause)}`, { cause });
  });
  return parsePublicKey(pem, path);
}

/**
 * @param name for messages
 * @throws BadKey
 */
export function parsePublicKey(pem: string, name: string): PublicKey {
  const doing = `reading the public key ${name}`;
  // Node would take a private key and give its public half: a file that should not lie here.
  if (!pem.includes('-----BEGIN PUBLIC KEY-----')) throw new BadKey(`${doing}: it is no public key in PEM`);
  try {
    return publicKeyOf(createPublicKey(pem), name);
  } catch (cause) {
    throw cause instanceof BadKey ? cause : new BadKey(`${doing}: ${String(cause)}`, { cause });
  }
}

/** @throws BadKey where it is no key for ECDSA on P-256 */
export function publicKeyOf(key: KeyObject, name: string): PublicKey {
  requireP256(key, name);
  const der = key.export({ type: 'spki', format: 'der' });
  return { id: `sha256:${createHash('sha256').update(der).digest('hex')}`, name, key };
}

/** @throws BadKey */
export function requireP256(key: KeyObject, name: string): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return;
  throw new BadKey(
    `reading the key ${name}: expected ECDSA on P-256, found ${[type, details?.namedCurve].filter(Boolean).join(' on ')}`,
  );
}

/** Whether the key made this signature (base64 of DER) of the bytes. */
export function isSignedBy({ key }: PublicKey, bytes: Buffer, base64: string): boolean {
  return verify('sha256', bytes, key, Buffer.from(base64, 'base64'));
}
