/** Certificates that no gateway has given. */
import { createPublicKey } from 'node:crypto';
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { KEY_ALGORITHM } from '../../../gateway/authority/keys.ts';
import { machineUri } from '../../../gateway/authority/machine-certificate.ts';
import { type EnrolledMachine, newKey } from './site.ts';

const DAY_MS = 24 * 3_600_000;

/** The certificate of a machine as a stranger makes it: signed with a key of the stranger's own in the name of an issuer, and of yesterday. */
export async function selfMade(id: string, issuer: string): Promise<EnrolledMachine> {
  const key = newKey();
  const now = Date.now();
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${id}`,
    issuer,
    publicKey: createPublicKey(key).toCryptoKey(KEY_ALGORITHM, true, ['verify']),
    signingKey: newKey().toCryptoKey(KEY_ALGORITHM, false, ['sign']),
    signingAlgorithm: KEY_ALGORITHM,
    notBefore: new Date(now - 2 * DAY_MS),
    notAfter: new Date(now - DAY_MS),
    extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: machineUri(id) }])],
  });
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { id, key, keyPem, certificate: certificate.toString('pem') };
}
