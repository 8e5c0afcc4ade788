/** What a machine's certificate says, and requests for one. */
import 'reflect-metadata';
import { createHash, createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { Pkcs10CertificateRequest, PublicKey } from '@peculiar/x509';

const URI = 'urn:iguana:machine:';

/** Ids are SMBIOS UUIDs and MAC addresses: nothing that would have to be escaped anywhere. */
export const MACHINE_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/;

/** @returns the name of a machine in its certificate */
export const machineUri = (machineId: string): string => `${URI}${machineId}`;

/** @returns SHA-256 of a public key, in hex: the name of the key in files and lists */
export const digestOfKey = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');

/** What the gateway wants of a certificate that TLS has verified. */
export interface MachineCertificate {
  readonly machineId: string;
  readonly keyDigest: string;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
}

/** @returns undefined where the certificate names no machine */
export function machineCertificate(certificate: X509Certificate): MachineCertificate | undefined {
  const names = (certificate.subjectAltName ?? '').split(', ');
  const machineId = names.length === 1 ? names[0]?.replace(`URI:${URI}`, '') : undefined;
  if (machineId === undefined || !MACHINE_ID.test(machineId)) return undefined;
  return {
    machineId,
    keyDigest: digestOfKey(certificate.publicKey),
    notAfter: certificate.validToDate.getTime(),
  };
}

/** A request that proves possession of its key. */
export interface VerifiedRequest {
  readonly publicKey: PublicKey;
  readonly keyDigest: string;
}

/** A request for a certificate that cannot be taken; the message says why and what to do. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1'];

/**
 * Verifies a request. Only its key is used: whatever else it asks for is ignored.
 * @throws BadRequest
 */
export async function verifyRequest(pem: string): Promise<VerifiedRequest> {
  let request: Pkcs10CertificateRequest;
  let key: KeyObject;
  try {
    request = new Pkcs10CertificateRequest(pem);
    key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new BadRequest('reading the certificate request: it is no PKCS #10 request in PEM', { cause });
  }
  if (key.asymmetricKeyType !== 'ec' || !CURVES.includes(key.asymmetricKeyDetails?.namedCurve)) {
    throw new BadRequest(
      'reading the certificate request: its key is not ECDSA on P-256 or P-384; make one that is',
    );
  }
  if (!(await request.verify().catch(() => false))) {
    throw new BadRequest('verifying the certificate request: it was not signed with its own key');
  }
  // One key has several encodings, and one digest: the certificate carries the encoding that the digest is of.
  const spki = key.export({ type: 'spki', format: 'der' });
  return { publicKey: new PublicKey(new Uint8Array(spki)), keyDigest: digestOfKey(key) };
}
