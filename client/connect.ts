/** Finds Temporal: a cluster that Temporal's own configuration names, else the embedded server of this host. */
import type { Client } from '@temporalio/client';
import type { ConnectionOptions } from '../host/connection.ts';
import { findServer } from '../host/server-record.ts';
import type { StatePaths } from '../host/state.ts';
import { CommandError } from './errors.ts';
import { ensureServer } from './server/start.ts';
import { type Endpoint, Session } from './session.ts';

/** What to do where no server runs on this host: reading never starts one, since its workers would go on installing. */
export interface ConnectOptions {
  /** Starts the embedded server where none runs; default false. */
  readonly start?: boolean;
  /** Told in words what is being started. */
  readonly tell?: (line: string) => void;
}

const RECONNECT_MS = 30_000;

/** A session that finds the server when it is first used. */
export function openSession(paths: StatePaths, options: ConnectOptions = {}): Session {
  return new Session(() => findEndpoint(paths, options));
}

async function findEndpoint(paths: StatePaths, { start, tell }: ConnectOptions): Promise<Endpoint> {
  const { configuredCluster } = await import('../host/connection.ts');
  const cluster = configuredCluster();
  if (cluster) {
    const { connectionOptions, namespace } = cluster;
    return {
      address: connectionOptions.address,
      namespace,
      open: () => openClient(connectionOptions, namespace),
    };
  }
  const record = start ? await ensureServer(paths, tell ?? (() => undefined)) : await findServer(paths);
  if (!record) throw noServer(paths);
  const { temporalAddress: address, namespace } = record;
  return { address, namespace, open: () => openClient({ address }, namespace) };
}

async function openClient(options: ConnectionOptions, namespace: string): Promise<Client> {
  const { Client, Connection } = await import('@temporalio/client');
  const connection = await Connection.connect({ ...options, connectTimeout: RECONNECT_MS });
  return new Client({ connection, namespace });
}

function noServer(paths: StatePaths): CommandError {
  return new CommandError(`finding the Iguana server: none runs on this host (state folder ${paths.root})`, {
    remedy:
      '`iguana resume` starts it and lets everything unfinished go on; `iguana server` only starts it. ' +
      'For a cluster set TEMPORAL_ADDRESS, or write a profile for Temporal’s configuration.',
  });
}
