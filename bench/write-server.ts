/** nginx on loopback, as in front of an image store. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { freePort } from '../host/free-port.ts';

/** A running server. */
export interface Server {
  readonly url: string;
  /** Bytes of files that it has sent so far, by its own account. */
  sentBytes(): Promise<number>;
  /** Of all its processes, so far. */
  cpuSeconds(): Promise<number>;
  stop(): Promise<void>;
}

/** Serves the files of a folder, with nginx's own defaults for all that matters: one worker, sendfile, keep-alive. */
export async function serveFolder(root: string): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'iguana-bench-nginx-'));
  const port = await freePort();
  const log = join(folder, 'access.log');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log; user root;
     events {}
     http {
       log_format sent '$body_bytes_sent'; access_log ${log} sent; sendfile on; tcp_nopush on; keepalive_requests 100000; ${temporary}
       server { listen 127.0.0.1:${port}; root ${root}; }
     }`,
  );
  let said: string | undefined;
  const child = execa('nginx', ['-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')], {
    reject: false,
  });
  const ended = child.then(({ stderr }) => {
    said = stderr;
  });
  const url = `http://127.0.0.1:${port}`;
  const answers = () =>
    fetch(url).then(
      () => true,
      () => false,
    );
  while (!(await answers())) {
    if (said !== undefined) throw new Error(`starting nginx: it ended: ${said}`);
    await sleep(50);
  }
  return {
    url,
    sentBytes: async () => {
      const lines = (await readFile(log, 'utf8')).trim().split('\n');
      return lines.reduce((sum, line) => sum + Number(line), 0);
    },
    cpuSeconds: async () => {
      const { stdout } = await execa('pgrep', ['--parent', String(child.pid)]);
      const processes = [String(child.pid), ...stdout.split('\n')];
      const seconds = await Promise.all(processes.map(cpuSecondsOf));
      return seconds.reduce((sum, one) => sum + one, 0);
    },
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second on every Linux that Node runs on. */
async function cpuSecondsOf(pid: string): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [, , , , , , , , , , , user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(user) + Number(system)) / 100;
}
