/** Finds Temporal: a cluster that Temporal's own configuration names, else the embedded server of this host. */
import { existsSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import type { ConnectionOptions } from '../host/connection.ts';
import { findServer, type ServerRecord, serverRecordPath } from '../host/server-record.ts';
import type { StatePaths } from '../host/state.ts';
import { CommandError } from './errors.ts';
import { ensureServer } from './server/start.ts';
import { type Endpoint, ServerGone, Session } from './session.ts';

/** What to do where no server runs on this host: reading never starts one, since its workers would go on installing. */
export interface ConnectOptions {
  /** Starts the embedded server where none runs; default false. */
  readonly start?: boolean;
  /** Told in words what is being started. */
  readonly tell?: (line: string) => void;
}

const RECONNECT_MS = 30_000;

/** A session that finds the server when it is first used, and again where it has moved. */
export function openSession(paths: StatePaths, options: ConnectOptions = {}): Session {
  const embedded = new EmbeddedServer(paths, options);
  return new Session(async () => (await clusterEndpoint(paths)) ?? embedded.endpoint());
}

async function clusterEndpoint(paths: StatePaths): Promise<Endpoint | undefined> {
  const { configuredCluster } = await import('../host/connection.ts');
  const cluster = configuredCluster();
  if (!cluster) return undefined;
  const { connectionOptions, namespace } = cluster;
  return {
    address: connectionOptions.address,
    namespace,
    open: () => openClient(paths, connectionOptions, namespace),
  };
}

/** The server of this host. */
class EmbeddedServer {
  readonly #paths: StatePaths;
  readonly #options: ConnectOptions;
  #wasFound = false;

  constructor(paths: StatePaths, options: ConnectOptions) {
    this.#paths = paths;
    this.#options = options;
  }

  async endpoint(): Promise<Endpoint> {
    const { temporalAddress: address, namespace } = await this.#record();
    this.#wasFound = true;
    return { address, namespace, open: () => openClient(this.#paths, { address }, namespace) };
  }

  async #record(): Promise<ServerRecord> {
    const running = await findServer(this.#paths);
    if (running) return running;
    // A killed server leaves its record behind. One that was stopped takes it away: somebody wants it to be stopped.
    if (this.#wasFound && !existsSync(serverRecordPath(this.#paths))) {
      throw new CommandError('the Iguana server was stopped', {
        remedy: 'Every unfinished install goes on where it stopped with `iguana resume`.',
      });
    }
    const { start = false, tell = () => undefined } = this.#options;
    if (start) return ensureServer(this.#paths, tell);
    throw this.#wasFound
      ? new ServerGone('it has ended unexpectedly; `iguana resume` starts it again')
      : noServer(this.#paths);
  }
}

async function openClient(paths: StatePaths, options: ConnectionOptions, namespace: string): Promise<Client> {
  const { dataConverter } = await import('../host/codec/data-converter.ts');
  const { Client, Connection } = await import('@temporalio/client');
  const connection = await Connection.connect({ ...options, connectTimeout: RECONNECT_MS });
  return new Client({ connection, namespace, dataConverter: dataConverter(paths) });
}

function noServer(paths: StatePaths): CommandError {
  return new CommandError(`finding the Iguana server: none runs on this host (state folder ${paths.root})`, {
    remedy:
      '`iguana resume` starts it and lets everything unfinished go on; `iguana server` only starts it. ' +
      'For a cluster set TEMPORAL_ADDRESS, or write a profile for Temporal’s configuration.',
  });
}
