/** The secrets of a gateway: made at the first use of a state folder, and shared by all gateways of it. */
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { GatewayPaths } from '../../host/enrolment/paths.ts';
import { readJsonFile, writeJsonFile } from '../../host/json-file.ts';
import { withLock } from '../../host/lock.ts';

cryptoProvider.set(webcrypto as Crypto);

/** ECDSA on P-256: what every TLS library verifies, rustls in the agent's Temporal client among them. */
export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** As long as machines may know its digest, e.g. in boot media. Nothing else is meant to live that long. */
const AUTHORITY_YEARS = 10;

/** What is signed is valid from an earlier time on: clocks of machines that have just booted are wrong. */
export const BACKDATED_MS = 24 * 3_600_000;

/** Secrets as they are kept, in one file: one cannot be there without the other. */
export interface GatewayKeys {
  /** The authority's certificate, PEM. */
  readonly certificate: string;
  /** The authority's key, PKCS #8, base64. */
  readonly key: string;
  /** Key of the HMAC that binds task tokens to machines, base64. */
  readonly taskTokenKey: string;
}

/** The keys of a state folder; makes them where there are none, also when several gateways start at once. */
export async function gatewayKeys(paths: GatewayPaths): Promise<GatewayKeys> {
  const known = await readJsonFile<GatewayKeys>(paths.keys);
  if (known) return known;
  return await withLock(paths.lock, async () => {
    const others = await readJsonFile<GatewayKeys>(paths.keys);
    if (others) return others;
    const made = await makeKeys();
    await writeJsonFile(paths.keys, made, 0o600);
    return made;
  });
}

async function makeKeys(): Promise<GatewayKeys> {
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const now = Date.now();
  const notAfter = new Date(now);
  notAfter.setFullYear(notAfter.getFullYear() + AUTHORITY_YEARS);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=Iguana gateway ${randomBytes(4).toString('hex')}`,
    keys,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter,
    signingAlgorithm: KEY_ALGORITHM,
    extensions: [
      // No authority below it.
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificate: certificate.toString('pem'),
    key: Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64'),
    taskTokenKey: randomBytes(32).toString('base64'),
  };
}
