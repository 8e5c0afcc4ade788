/** Where the gateway takes first-boot reports. It is written on installed disks, so it is the same after every start. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { freePort } from '../host/free-port.ts';
import { readJsonFile, writeJsonFile } from '../host/json-file.ts';
import type { StatePaths } from '../host/state.ts';

/** Asked for at the first start; any other is taken where something else has it. */
const DEFAULT_PORT = 7280;
const LOOPBACK = '127.0.0.1';
/** All addresses of this host: listened on, but no address to report to. */
const ANY: readonly string[] = ['0.0.0.0', '::'];

/** The gateway of a server that was killed ends after it. */
const PATIENCE_MS = 10_000;
const POLL_MS = 200;

/**
 * The port, chosen at the first start of a state folder and kept from then on, unless somebody else has it meanwhile.
 * @param logger is warned where it is another one than systems were told that have not reported yet
 */
export async function reportPort(paths: StatePaths, logger: Logger): Promise<number> {
  const file = join(paths.root, 'report-port.json');
  const known = (await readJsonFile<{ port: number }>(file))?.port;
  const wanted = known ?? DEFAULT_PORT;
  const deadline = Date.now() + (known === undefined ? 0 : PATIENCE_MS);
  let port = await freePort(wanted);
  while (port !== wanted && Date.now() < deadline) {
    await sleep(POLL_MS);
    port = await freePort(wanted);
  }
  if (known !== undefined && port !== known) {
    logger.warn(
      { known, port },
      `port ${known} of first-boot reports is taken by another program: port ${port} is used, and systems that were installed ` +
        'before and have not reported yet do not find it',
    );
  }
  if (port !== known) await writeJsonFile(file, { port });
  return port;
}

/** @returns base address of the gateway, as this host reaches it */
export function reportAddress(port: number, host = process.env.IGUANA_REPORT_HOST ?? LOOPBACK): string {
  const reached = ANY.includes(host) ? LOOPBACK : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
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
