/** Finding the container engine of this host. */
import { existsSync } from 'node:fs';
import { findExecutable } from '../find-executable.ts';
import type { StatePaths } from '../state.ts';
import { connectEngine, type Engine } from './connect.ts';
import { EngineFailed, EngineMissing } from './errors.ts';
import { hasCgroupV1 } from './podman-config.ts';
import { podmanService } from './podman-service.ts';

/**
 * Opens the container engine: what `IGUANA_ENGINE` or `DOCKER_HOST` names; else podman's or Docker's own socket, when
 * it answers; else podman's service, started here. Quick when an engine runs: call it again whenever a call to the
 * engine failed with a refused connection.
 * @param env default `process.env`
 * @throws EngineMissing where there is none; EngineFailed where the one that is named, or podman, does not work
 */
export async function openEngine(paths: StatePaths, env: NodeJS.ProcessEnv = process.env): Promise<Engine> {
  for (const variable of ['IGUANA_ENGINE', 'DOCKER_HOST']) {
    const address = env[variable];
    if (address) return await openNamed(variable, address);
  }
  const podman = await findExecutable('podman', env);
  const sockets = [
    // Under control groups of version 1 podman's own service answers, and then fails to start any container.
    ...(podman && hasCgroupV1() ? [] : ['/run/podman/podman.sock']),
    '/var/run/docker.sock',
  ];
  const tried: string[] = [];
  for (const socket of sockets) {
    if (!existsSync(socket)) {
      tried.push(`${socket}: not there`);
      continue;
    }
    try {
      return await connectEngine(socket);
    } catch (error) {
      tried.push(`${socket}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (podman) return await podmanService(paths);
  throw new EngineMissing([...tried, 'podman: not on the PATH']);
}

async function openNamed(variable: string, address: string): Promise<Engine> {
  try {
    return await connectEngine(address);
  } catch (cause) {
    throw new EngineFailed(
      `connecting to the container engine at ${address}, which ${variable} names: ` +
        `${cause instanceof Error ? cause.message : String(cause)}. Start it, or unset ${variable}`,
      { cause },
    );
  }
}
