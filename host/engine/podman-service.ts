/** Podman's API service, started by Iguana where no engine listens. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../lock.ts';
import type { StatePaths } from '../state.ts';
import { connectEngine, type Engine } from './connect.ts';
import { EngineFailed } from './errors.ts';
import { podmanConfig } from './podman-config.ts';

/** How long podman may take to open its socket, milliseconds; its first start on a host migrates its database. */
const START_DEADLINE = 60_000;

/**
 * The service that Iguana started; starts it where it does not run. It outlives the caller, so that containers are
 * watched whoever is restarted, and there is one for the host.
 * @throws EngineFailed where podman does not come up; the message holds what it said
 */
export async function podmanService(paths: StatePaths): Promise<Engine> {
  const address = `unix://${join(paths.engine, 'podman.sock')}`;
  const running = await connected(address);
  if (running) return running;
  return await withLock(
    join(paths.engine, 'lock'),
    async () => (await connected(address)) ?? (await startService(paths.engine, address)),
  );
}

/** @returns undefined where nobody listens: never started, or killed */
const connected = (address: string): Promise<Engine | undefined> =>
  connectEngine(address).catch(() => undefined);

async function startService(folder: string, address: string): Promise<Engine> {
  await mkdir(folder, { recursive: true });
  // Who may talk to the engine is root on this host.
  await chmod(folder, 0o700);
  const config = join(folder, 'containers.conf');
  await writeFile(config, await podmanConfig());
  await rm(address.slice('unix://'.length), { force: true });
  const logFile = join(folder, 'podman.log');
  const log = await open(logFile, 'w+');
  try {
    const child = spawn('podman', ['system', 'service', '--time=0', address], {
      detached: true,
      // It outlives the folder of whoever starts it; in one that is gone it can start no container.
      cwd: '/',
      stdio: ['ignore', log.fd, log.fd],
      // A private notify socket or listening descriptors of our own service manager are none of podman's business.
      env: { ...process.env, CONTAINERS_CONF: config, NOTIFY_SOCKET: undefined, LISTEN_FDS: undefined },
    });
    child.unref();
    // For whoever has to stop it: there may be other podman services on this host.
    await writeFile(join(folder, 'podman.pid'), `${child.pid ?? ''}\n`);
    const ended = once(child, 'exit').then(
      ([status]) => `it ended with status ${status}`,
      (cause: Error) => `it cannot be run: ${cause.message}`,
    );
    const reason = await Promise.race([ended, answers(address)]);
    if (typeof reason !== 'string') return reason;
    const said = (await log.read({ position: 0, buffer: Buffer.alloc(4096) })).buffer.toString();
    const words = said.replaceAll('\0', '').trim();
    throw new EngineFailed(
      `starting podman's service at ${address}: ${reason}${words && `; it said: ${words}`}`,
    );
  } finally {
    await log.close();
  }
}

/** @returns the engine once it answers, or why it did not */
async function answers(address: string): Promise<Engine | string> {
  const deadline = Date.now() + START_DEADLINE;
  for (;;) {
    try {
      return await connectEngine(address);
    } catch (error) {
      if (Date.now() > deadline) return `no answer in ${START_DEADLINE / 1000} s: ${String(error)}`;
    }
    await sleep(100);
  }
}
