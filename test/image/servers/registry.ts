/** Debian's docker-registry on loopback. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from '../../../host/free-port.ts';
import type { Certificates } from './certificates.ts';
import { folderWith } from './folder.ts';
import { startServer } from './process.ts';

/** The user whom a registry with `users` knows. */
export const USER = { name: 'anna', password: 'correct-horse' };
/** bcrypt of the password, the only form that the registry takes. */
const HTPASSWD = `${USER.name}:$2b$05$EELUy4VjBh16WRVd7GfHlOs4mPVoQ.jIPCiUNEWSTLZOFoDFtIddq\n`;

/** A registry. */
export interface Registry {
  /** With the port. */
  readonly host: string;
  /** Where it keeps its blobs. */
  readonly storage: string;
}

/** @param token section `auth.token` of the registry's configuration */
export async function startRegistry({
  tls,
  users = false,
  token,
}: {
  tls?: Certificates;
  users?: boolean;
  token?: Readonly<Record<string, string>>;
} = {}): Promise<Registry> {
  const folder = folderWith({ htpasswd: HTPASSWD });
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const storage = join(folder, 'storage');
  const config = join(folder, 'config.yml');
  await writeFile(
    config,
    stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
      http: { addr: host, ...(tls && { tls: { certificate: tls.cert, key: tls.key } }) },
      ...(users && { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } }),
      ...(token && { auth: { token } }),
    }),
  );
  await startServer('docker-registry', ['serve', config], port);
  return { host, storage };
}
