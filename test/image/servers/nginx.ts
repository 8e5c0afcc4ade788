/** nginx on loopback. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../../host/free-port.ts';
import type { Certificates } from './certificates.ts';
import { folderWith } from './folder.ts';
import { startServer } from './process.ts';

/** @returns the server's address, its access log, and how it is ended */
export async function startNginx(
  root: string,
  { tls, location = '' }: { tls?: Certificates; location?: string } = {},
): Promise<{ url: string; log: string; stop: () => Promise<void> }> {
  const folder = folderWith();
  const port = await freePort();
  const log = join(folder, 'access.log');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  const certificates = tls ? `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};` : '';
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log; user root;
     events {}
     http {
       log_format ranges '$request_method $uri $http_range $connection $status';
       access_log ${log} ranges; ${temporary}
       server {
         listen 127.0.0.1:${port}${tls ? ' ssl' : ''}; ${certificates}
         root ${root}; keepalive_requests 100000;
         location / { ${location} }
       }
     }`,
  );
  const stop = await startServer(
    'nginx',
    ['-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')],
    port,
  );
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, log, stop };
}
