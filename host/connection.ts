/** How to reach Temporal: Temporal's own environment and profile configuration, else the embedded server of this host. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { findServer } from './server-record.ts';
import { statePaths } from './state.ts';

/** Address, TLS material and credentials as the SDK's connections take them. */
export type ConnectionOptions = ReturnType<typeof loadClientConnectConfig>['connectionOptions'];

/** @see connectionSettings */
export interface ConnectionSettings {
  readonly connectionOptions: ConnectionOptions & { readonly address: string };
  readonly namespace: string;
}

/** Temporal's own default address, for a worker that is started by hand beside a server. */
const DEFAULT_ADDRESS = '127.0.0.1:7233';

/**
 * Settings of a cluster of one's own, from Temporal's environment and profile configuration.
 * @returns undefined where they name no address: the embedded server is meant
 * @throws Error from envconfig where the configuration cannot be read
 */
export function configuredCluster(): ConnectionSettings | undefined {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const { address } = connectionOptions;
  return address ? { connectionOptions: { ...connectionOptions, address }, namespace } : undefined;
}

/**
 * Settings of a worker's connection: `TEMPORAL_ADDRESS` and its siblings, or the profile of Temporal's configuration file; where
 * neither names an address, the embedded server that runs on this host.
 * @throws Error from envconfig where the configuration cannot be read
 */
export async function connectionSettings(): Promise<ConnectionSettings> {
  const cluster = configuredCluster();
  if (cluster) return cluster;
  const record = await findServer(statePaths());
  return {
    connectionOptions: { address: record?.temporalAddress ?? DEFAULT_ADDRESS },
    namespace: record?.namespace ?? 'default',
  };
}
