/** The embedded Temporal server: how it is run, and when it is ready. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { readJsonFile, writeJsonFile } from '../json-file.ts';
import type { PortLeases } from '../port-leases.ts';
import type { StatePaths } from '../state.ts';

const LOOPBACK = '127.0.0.1';
/** Temporal's own defaults. */
const DEFAULT_PORTS = { grpc: 7233, ui: 8233 } as const;
/** The namespace that the dev server makes. */
export const EMBEDDED_NAMESPACE = 'default';

/** How long the history of an ended install is kept. The auditor asks months later; ten years cost little. */
const RETENTION = '3650 days';

const READY_POLL_MS = 200;

/** How to run the server, and where it will be. */
export interface EmbeddedTemporal {
  readonly command: string;
  readonly args: readonly string[];
  /** host:port of gRPC. */
  readonly address: string;
  /** Address of the Web UI. */
  readonly uiAddress: string;
  /** Names by which a browser on this host may have reached it. */
  readonly uiOrigins: readonly string[];
}

/**
 * Prepares a run of the embedded server: its folder and ports. The ports stay the same from start to start, where they can,
 * since agents and people know them.
 * @param cli path of the Temporal CLI
 * @param leases get the ports
 * @param searchAttributes names of Keyword attributes to register
 * @param codecEndpoint told to the Web UI, without the token: the arguments of a process are public
 */
export async function embeddedTemporal(
  paths: StatePaths,
  cli: string,
  leases: PortLeases,
  searchAttributes: readonly string[],
  codecEndpoint?: string,
): Promise<EmbeddedTemporal> {
  const folder = dirname(paths.temporalDatabase);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'ports.json');
  const last = (await readJsonFile<{ grpc: number; ui: number }>(file)) ?? DEFAULT_PORTS;
  const kept = async (name: keyof typeof DEFAULT_PORTS): Promise<number> =>
    (await leases.tryTake(last[name])) ? last[name] : await leases.takeFrom(DEFAULT_PORTS[name]);
  const ports = { grpc: await kept('grpc'), ui: await kept('ui') };
  await writeJsonFile(file, ports);
  const server = ['server', 'start-dev', '--ip', LOOPBACK, '--ui-ip', LOOPBACK];
  const options = {
    port: ports.grpc,
    'ui-port': ports.ui,
    'db-filename': paths.temporalDatabase,
    namespace: EMBEDDED_NAMESPACE,
    'log-level': 'warn',
    'log-format': 'json',
    ...(codecEndpoint && { 'ui-codec-endpoint': codecEndpoint }),
  };
  // A write-ahead log, synchronised at checkpoints: survives SIGKILL and doubles the rate of the default.
  const pragmas = ['journal_mode=wal', 'synchronous=NORMAL'].flatMap((pragma) => ['--sqlite-pragma', pragma]);
  const attributes = searchAttributes.flatMap((name) => ['--search-attribute', `${name}=Keyword`]);
  const cliArgs = [
    ...server,
    ...Object.entries(options).flatMap(([k, v]) => [`--${k}`, String(v)]),
    ...pragmas,
    ...attributes,
  ];
  return {
    // Two servers on one database would damage it: the lock goes with the process, also when it is killed.
    command: 'flock',
    args: ['--nonblock', '--no-fork', join(folder, 'lock'), cli, ...cliArgs],
    address: `${LOOPBACK}:${ports.grpc}`,
    uiAddress: `http://${LOOPBACK}:${ports.ui}`,
    uiOrigins: [LOOPBACK, 'localhost'].map((host) => `http://${host}:${ports.ui}`),
  };
}

/**
 * Waits until the server answers, and makes it keep histories.
 * @param signal gives up waiting
 */
export async function untilTemporalReady(address: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      const connection = await Connection.connect({ address, connectTimeout: 2_000 });
      try {
        await connection.workflowService.updateNamespace({
          namespace: EMBEDDED_NAMESPACE,
          config: { workflowExecutionRetentionTtl: msToTs(RETENTION) },
        });
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (signal.aborted) throw error;
      await sleep(READY_POLL_MS, undefined, { signal });
    }
  }
}
