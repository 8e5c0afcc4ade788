/**
 * `iguana server`: everything that Iguana needs on one machine, in one process tree. It starts Temporal, a control and a
 * builder worker and the gateway, keeps an agent container running for every machine that asks for one, and writes the
 * server record when all of that is ready. SIGTERM and SIGINT stop it in order; every install goes on with the next start.
 */

import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { Logger } from 'pino';
import { dataConverter } from '../host/codec/data-converter.ts';
import { CodecKeys } from '../host/codec/keys.ts';
import { writeJsonFile } from '../host/json-file.ts';
import { type Lock, tryLock } from '../host/lock.ts';
import { PortLeases } from '../host/port-leases.ts';
import { findServer, processStart, type ServerRecord, serverRecordPath } from '../host/server-record.ts';
import { type StatePaths, statePaths } from '../host/state.ts';
import { EMBEDDED_NAMESPACE, embeddedTemporal, untilTemporalReady } from '../host/temporal/server.ts';
import { supplyTemporal } from '../host/temporal/supply.ts';
import { SEARCH_ATTRIBUTES } from '../workflows/api.ts';
import { keepAgents } from './keep-agents.ts';
import { installLogger } from './log.ts';
import {
  codecPort,
  gatewayAddress,
  machinePort,
  reportAddress,
  reportPort,
  waitForGateway,
} from './report-address.ts';
import { SupervisedChild } from './supervise.ts';
import { waitForPollers } from './wait-for-pollers.ts';

/** How long stopping waits for the agents to end the step they are in. */
const STOP_MS = 15_000;

/** How often a starting server looks whether the one that started before it is ready, or gone. */
const LOOK_AGAIN_MS = 500;

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

async function main(paths: StatePaths, logger: Logger): Promise<void> {
  const lock = await becomeServer(paths, logger);
  if (!lock) return;
  const leases = new PortLeases(paths.ports);
  try {
    await serve(paths, leases, logger);
  } finally {
    await leases.release();
    await lock.release();
  }
}

/**
 * Two servers of one state folder would take each other's ports and agents: the lock decides between servers that start
 * at once, and goes with its process.
 * @returns undefined where another server is ready
 */
async function becomeServer(paths: StatePaths, logger: Logger): Promise<Lock | undefined> {
  for (;;) {
    const running = await findServer(paths);
    if (running) {
      logger.info({ record: running }, 'a server runs already');
      return undefined;
    }
    const lock = await tryLock(join(paths.run, 'server.lock'));
    if (lock) return lock;
    await sleep(LOOK_AGAIN_MS);
  }
}

async function serve(paths: StatePaths, leases: PortLeases, logger: Logger): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());

  // Before anything encrypts: agents' containers are given the folder, which has to exist.
  await new CodecKeys(paths).current();
  const cli = await supplyTemporal(paths, (line) => logger.info(line));
  const codec = process.env.IGUANA_CODEC_PORT ?? String(await codecPort(paths, leases, logger));
  const codecAddress = `http://127.0.0.1:${codec}`;
  const temporal = await embeddedTemporal(
    paths,
    cli.path,
    leases,
    Object.values(SEARCH_ATTRIBUTES),
    codecAddress,
  );
  const environment = { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: EMBEDDED_NAMESPACE };
  const port = await reportPort(paths, leases, logger);
  const machines = process.env.IGUANA_GATEWAY_PORT ?? String(await machinePort(paths, leases, logger));
  const temporalServer = new SupervisedChild({ name: 'temporal', ...temporal }, paths.logs, logger);
  await temporalServer.start();
  await untilTemporalReady(temporal.address, stop.signal);
  const children = [
    {
      name: 'control',
      args: [script('control.ts')],
      env: {
        ...environment,
        IGUANA_CODEC_PORT: codec,
        IGUANA_CODEC_ORIGINS: process.env.IGUANA_CODEC_ORIGINS ?? temporal.uiOrigins.join(','),
      },
    },
    { name: 'builder', args: [script('builder.ts')], env: environment },
    {
      name: 'gateway',
      args: [script('../gateway/main.ts')],
      env: { ...environment, IGUANA_REPORT_PORT: String(port), IGUANA_GATEWAY_PORT: machines },
    },
  ].map((spec) => new SupervisedChild({ command: process.execPath, ...spec }, paths.logs, logger));
  await Promise.all(children.map((child) => child.start()));

  const connection = Connection.lazy({ address: temporal.address });
  const client = new Client({
    connection,
    namespace: EMBEDDED_NAMESPACE,
    dataConverter: dataConverter(paths),
  });
  const agents = keepAgents(paths, client, environment, logger, stop.signal);
  try {
    await waitForPollers(client, stop.signal);
    await waitForGateway(reportAddress(port), stop.signal);
    if (stop.signal.aborted) return;
    const record: ServerRecord = {
      pid: process.pid,
      processStart: (await processStart(process.pid)) ?? '',
      temporalAddress: temporal.address,
      namespace: EMBEDDED_NAMESPACE,
      uiAddress: temporal.uiAddress,
      codecAddress,
      reportAddress: reportAddress(port),
      gatewayAddress: gatewayAddress(machines),
      startedAt: new Date().toISOString(),
    };
    await writeJsonFile(serverRecordPath(paths), record);
    logger.info({ record }, 'ready');
    await once(stop.signal, 'abort');
  } finally {
    logger.info('stopping; installs go on with the next start');
    await rm(serverRecordPath(paths), { force: true });
    // The agents' image may be being made right now: that is not worth waiting for.
    await Promise.race([agents, sleep(STOP_MS, undefined, { ref: false })]);
    await Promise.all(children.map((child) => child.stop()));
    await connection.close();
    await temporalServer.stop();
  }
}

const logger = installLogger('server');
try {
  await main(statePaths(), logger);
} catch (error) {
  logger.fatal({ err: error }, 'the server cannot run');
  process.exitCode = 1;
}
// Whatever is still under way, like making a container image, can be begun again.
process.exit();
