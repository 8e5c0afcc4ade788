/** Which authorities a server's certificate may come from, and the certificate with which we show who we are. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { errorCode } from '../io-error.ts';

/** Where certificates are besides the system's and Node's own. */
export interface TlsOptions {
  /** PEM file with further authorities. */
  readonly caFile?: string;
  /**
   * A folder in the manner of skopeo's `--cert-dir`: authorities in `*.crt`, our certificate in `*.cert` with `*.key`. Default:
   * the folders of containers and Docker for this host, e.g. `/etc/containers/certs.d/HOST:PORT`.
   */
  readonly certDir?: string;
}

/** Certificates could not be read. */
export class BadCertificates extends Error {
  override readonly name = 'BadCertificates';
}

/** Folders where podman, skopeo and Docker look. */
const CERT_DIRS = ['/etc/containers/certs.d', '/etc/docker/certs.d'];

/**
 * @param host with the port where the reference has one
 * @throws BadCertificates
 */
export async function secureContextFor(host: string, options: TlsOptions): Promise<SecureContext> {
  const folders =
    options.certDir === undefined ? CERT_DIRS.map((folder) => join(folder, host)) : [options.certDir];
  const found = await Promise.all(
    folders.map((folder) => readCertDir(folder, { required: options.certDir !== undefined })),
  );
  const own = options.caFile === undefined ? [] : [await read(options.caFile)];
  const client = found.find(({ cert }) => cert !== undefined);
  try {
    return createSecureContext({
      ca: [
        ...new Set([
          ...getCACertificates('default'),
          ...getCACertificates('system'),
          ...own,
          ...found.flatMap(({ ca }) => ca),
        ]),
      ],
      minVersion: 'TLSv1.2',
      ...(client && { cert: client.cert, key: client.key }),
    });
  } catch (cause) {
    throw new BadCertificates(`using the certificates for ${host}: ${String(cause)}`, { cause });
  }
}

interface CertDir {
  readonly ca: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

async function readCertDir(folder: string, { required }: { required: boolean }): Promise<CertDir> {
  const names = await readdir(folder).catch((cause: unknown) => {
    if (!required && (errorCode(cause) === 'ENOENT' || errorCode(cause) === 'ENOTDIR')) return [];
    throw new BadCertificates(`reading the certificates in ${folder}: ${String(cause)}`, { cause });
  });
  const ca = await Promise.all(
    names.filter((name) => name.endsWith('.crt')).map((name) => read(join(folder, name))),
  );
  const certName = names.find((name) => name.endsWith('.cert'));
  if (certName === undefined) return { ca };
  const certPath = join(folder, certName);
  return { ca, cert: await read(certPath), key: await read(certPath.replace(/cert$/, 'key')) };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new BadCertificates(`reading the certificate ${path}: ${String(cause)}`, { cause });
  }
}
