/** Tells the watchdog of the boot image that this machine has contact: a machine that has none for long is restarted. */
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';
import type { Logger } from 'pino';

/** A small part of the shortest time that anybody sets for the watchdog. */
const LOOK_MS = 15_000;

/** Touches the file: there was contact just now. @param file none where no watchdog looks */
export async function touchAlive(file: string | undefined): Promise<void> {
  if (file !== undefined) await writeFile(file, `${new Date().toISOString()}\n`);
}

/**
 * Touches a file for as long as Temporal answers through the gateway.
 * @param file `IGUANA_ALIVE_FILE`, which the watchdog looks at
 * @param signal ends it
 */
export async function tellAlive(
  file: string,
  worker: Worker,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await worker.connection?.workflowService.getSystemInfo({});
      await touchAlive(file);
    } catch (error) {
      logger.warn({ err: error }, 'no contact through the gateway');
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
