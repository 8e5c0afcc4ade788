/** A certificate authority of the tests, and certificates by it: made by OpenSSL. */
import { join } from 'node:path';
import { execa } from 'execa';
import { folderWith } from './folder.ts';

/** This host, as its own tests call it. */
export const LOOPBACK = '127.0.0.1';

/** Files in PEM. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** @param hosts the only names that the certificate is for; default 127.0.0.1 */
export async function makeCertificates(...hosts: readonly string[]): Promise<Certificates> {
  const folder = folderWith();
  const [ca, caKey, cert, key] = ['ca.crt', 'ca.key', 'server.crt', 'server.key'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const self = ['req', '-x509', '-days', '2', '-subj', '/CN=Test Authority', ...newKey];
  await execa('openssl', [...self, '-keyout', caKey, '-out', ca]);
  const names = (hosts.length === 0 ? [LOOPBACK] : hosts).map((host) =>
    /^[\d.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`,
  );
  const leaf = ['req', '-x509', '-days', '2', '-subj', '/CN=server', '-addext', `subjectAltName=${names}`];
  const by = ['-CA', ca, '-CAkey', caKey, '-addext', 'basicConstraints=critical,CA:FALSE'];
  await execa('openssl', [...leaf, ...by, ...newKey, '-keyout', key, '-out', cert]);
  return { ca, cert, key };
}
