/** Where Iguana keeps what must survive: the state folder, and the cache that can be made again. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Folders and files of the state folder; all absolute. */
export interface StatePaths {
  /** `IGUANA_STATE`, else /var/lib/iguana for root, else `$XDG_STATE_HOME/iguana`. */
  readonly root: string;
  /** `IGUANA_CACHE`, else /var/cache/iguana for root, else `$XDG_CACHE_HOME/iguana`. */
  readonly cache: string;
  /** Content-addressed store of images. */
  readonly store: string;
  /** Temporal's SQLite file. */
  readonly temporalDatabase: string;
  /**
   * Socket, configuration and log of a podman service that Iguana starts itself: /run/iguana/engine for root, else in
   * `$XDG_RUNTIME_DIR`. One for the host, whatever the state folder: images and containers are the host's.
   */
  readonly engine: string;
  /** Locks of the ports that servers of this host keep; beside {@link engine}, for the same reason. */
  readonly ports: string;
  /** Records of running processes, requested agents, sockets. */
  readonly run: string;
  readonly logs: string;
  /** One file for each secret, mode 0600. */
  readonly secrets: string;
  /** Console logs of machines, `MACHINE-ID.log`. */
  readonly consoles: string;
}

/**
 * The paths for an environment.
 * @param env default `process.env`
 */
export function statePaths(env: NodeJS.ProcessEnv = process.env): StatePaths {
  const isRoot = process.getuid?.() === 0;
  const root = resolve(
    env.IGUANA_STATE ??
      (isRoot ? '/var/lib/iguana' : join(env.XDG_STATE_HOME ?? join(homedir(), '.local/state'), 'iguana')),
  );
  const cache = resolve(
    env.IGUANA_CACHE ??
      (isRoot ? '/var/cache/iguana' : join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'iguana')),
  );
  const host = join(isRoot ? '/run' : (env.XDG_RUNTIME_DIR ?? root), 'iguana');
  return {
    root,
    cache,
    store: join(root, 'store'),
    temporalDatabase: join(root, 'temporal/temporal.db'),
    engine: join(host, 'engine'),
    ports: join(host, 'ports'),
    run: join(root, 'run'),
    logs: join(root, 'logs'),
    secrets: join(root, 'secrets'),
    consoles: join(root, 'consoles'),
  };
}
