/** Where endpoints are reached. Installed disks, boot media and browsers know them: they are the same after every start. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { readJsonFile, writeJsonFile } from '../host/json-file.ts';
import type { PortLeases } from '../host/port-leases.ts';
import type { StatePaths } from '../host/state.ts';

/** Asked for at the first start; the next one a hundred further is taken where something else has it. */
const REPORT_PORT = { wanted: 7280, file: 'report-port.json', of: 'first-boot reports' };
const MACHINE_PORT = { wanted: 7281, file: 'machine-port.json', of: 'machines' };
const CODEC_PORT = { wanted: 7283, file: 'codec-port.json', of: 'the codec endpoint' };
const LOOPBACK = '127.0.0.1';
/** All addresses of this host: listened on, but no address to report to. */
const ANY: readonly string[] = ['0.0.0.0', '::'];

/** The gateway of a server that was killed ends after it. */
const PATIENCE_MS = 10_000;
const POLL_MS = 200;

/** The port of first-boot reports. @see keptPort */
export const reportPort = (paths: StatePaths, leases: PortLeases, logger: Logger): Promise<number> =>
  keptPort(paths, leases, logger, REPORT_PORT);

/** The port of the machines' endpoint. @see keptPort */
export const machinePort = (paths: StatePaths, leases: PortLeases, logger: Logger): Promise<number> =>
  keptPort(paths, leases, logger, MACHINE_PORT);

/** The port of the codec endpoint. @see keptPort */
export const codecPort = (paths: StatePaths, leases: PortLeases, logger: Logger): Promise<number> =>
  keptPort(paths, leases, logger, CODEC_PORT);

/**
 * A port, chosen at the first start of a state folder and kept from then on, unless somebody else has it meanwhile.
 * @param logger is warned where it is another one than those were told that use it
 */
async function keptPort(
  paths: StatePaths,
  leases: PortLeases,
  logger: Logger,
  kept: { readonly wanted: number; readonly file: string; readonly of: string },
): Promise<number> {
  const file = join(paths.root, kept.file);
  const known = (await readJsonFile<{ port: number }>(file))?.port;
  const wanted = known ?? kept.wanted;
  const deadline = Date.now() + (known === undefined ? 0 : PATIENCE_MS);
  let taken = await leases.tryTake(wanted);
  while (!taken && Date.now() < deadline) {
    await sleep(POLL_MS);
    taken = await leases.tryTake(wanted);
  }
  const port = taken ? wanted : await leases.takeFrom(kept.wanted);
  if (known !== undefined && port !== known) {
    logger.warn(
      { known, port },
      `port ${known} of ${kept.of} is taken by another program: port ${port} is used, and whoever was told the old one ` +
        'does not find it',
    );
  }
  if (port !== known) await writeJsonFile(file, { port });
  return port;
}

/** @returns base address of the first-boot endpoint, as this host reaches it */
export const reportAddress = (port: number, host = process.env.IGUANA_REPORT_HOST): string =>
  `http://${reached(host)}:${port}`;

/** @returns address of the machines' endpoint, as this host reaches it */
export const gatewayAddress = (port: string): string =>
  `https://${reached(process.env.IGUANA_GATEWAY_HOST)}:${port}`;

function reached(host = LOOPBACK): string {
  const address = ANY.includes(host) ? LOOPBACK : host;
  return address.includes(':') ? `[${address}]` : address;
}

/** Waits until the gateway answers, or until the signal. */
export async function waitForGateway(address: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      if ((await fetch(new URL('/healthz', address), { signal })).ok) return;
    } catch (error) {
      // Refused: it does not listen yet. Why it does not is in its log.
      if (!(error instanceof TypeError) && !signal.aborted) throw error;
    }
    await sleep(POLL_MS);
  }
}
