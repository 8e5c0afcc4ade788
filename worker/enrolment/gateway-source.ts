/** The agent's connection through the gateway, and its certificate, for as long as the agent runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { MACHINE_CONVERTER } from '../../host/codec/data-converter.ts';
import type { ConnectionSource } from '../run-worker.ts';
import { tellAlive } from './alive.ts';
import { type Enrolled, enrolMachine, renewMachine } from './enrol.ts';
import { GatewayRefused } from './gateway-client.ts';
import type { EnrolmentSettings } from './settings.ts';
import { writeTlsFiles } from './tls-files.ts';

/** The next certificate is asked for when this part of the lifetime has passed. */
const RENEWED_AFTER = 2 / 3;
/** First and longest wait after a failed renewal; doubled each time. A tenth of what is left is never exceeded. */
const RETRY_MS = { first: 1_000, longest: 60_000 };
/** A poll that began on the old connection has ended by then. */
const OLD_CONNECTION_MS = 120_000;

/** Where the agent's worker gets its connection from. */
export function gatewaySource(
  settings: EnrolmentSettings,
  first: Enrolled,
  logger: Logger,
): ConnectionSource {
  let present = first;
  return {
    dataConverter: MACHINE_CONVERTER,
    async connect() {
      await writeTlsFiles(settings, present);
      return { connection: await connect(settings, present), namespace: present.namespace };
    },
    /**
     * A connection keeps the certificate that it was made with; a worker can be given another connection while it works. Its
     * running activities go on: their next heartbeat and their answer go through the new one, and the gateway knows tasks by
     * the machine, not by the connection. A poll that waits on the old connection stays there until it ends.
     */
    async lookAfter(worker, signal) {
      const { aliveFile } = settings;
      const alive = aliveFile === undefined ? undefined : tellAlive(aliveFile, worker, logger, signal);
      const olds = new Set<NativeConnection>();
      while (!signal.aborted) {
        try {
          await sleep(renewalDelay(present), undefined, { signal });
          present = await next(settings, present, logger, signal);
          await writeTlsFiles(settings, present);
          const old = worker.connection;
          worker.connection = await connect(settings, present);
          logger.info({ expiresAt: new Date(present.expiresAt).toISOString() }, 'certificate renewed');
          if (old) olds.add(old);
          setTimeout(() => void closeOld(old, olds, logger), OLD_CONNECTION_MS).unref();
        } catch (error) {
          if (signal.aborted) break;
          logger.warn({ err: error }, 'connecting with the new certificate failed; trying again');
          await sleep(RETRY_MS.first);
        }
      }
      // An open connection would keep the process from ending.
      for (const old of olds) await closeOld(old, olds, logger);
      await alive;
    },
  };
}

const renewalDelay = ({ issuedAt, expiresAt }: Enrolled): number =>
  Math.max(0, issuedAt + (expiresAt - issuedAt) * RENEWED_AFTER - Date.now());

/** Renews; where the gateway refuses that, the machine enrols again: the certificate may have expired, or its key been replaced. */
async function next(
  settings: EnrolmentSettings,
  present: Enrolled,
  logger: Logger,
  signal: AbortSignal,
): Promise<Enrolled> {
  let wait = RETRY_MS.first;
  for (;;) {
    try {
      return await renewMachine(settings, present);
    } catch (error) {
      logger.warn({ err: error }, 'renewing the certificate failed');
      if (error instanceof GatewayRefused || Date.now() >= present.expiresAt) {
        return await enrolMachine(settings, logger, signal);
      }
      const left = Math.max(present.expiresAt - Date.now(), 0);
      await sleep(Math.min(wait, left / 10 + 100), undefined, { signal });
      wait = Math.min(wait * 2, RETRY_MS.longest);
    }
  }
}

async function connect({ gateway }: EnrolmentSettings, { ca, client }: Enrolled): Promise<NativeConnection> {
  return await NativeConnection.connect({
    address: `${gateway.hostname}:${gateway.port || '443'}`,
    tls: {
      serverRootCACertificate: Buffer.from(ca),
      clientCertPair: { crt: Buffer.from(client.cert), key: Buffer.from(client.key) },
    },
  });
}

async function closeOld(
  old: NativeConnection | undefined,
  olds: Set<NativeConnection>,
  logger: Logger,
): Promise<void> {
  if (!old || !olds.delete(old)) return;
  try {
    await old.close();
  } catch (error) {
    logger.debug({ err: error }, 'closing the old connection failed');
  }
}
