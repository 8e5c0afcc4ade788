/** Waiting for the devices of a machine that has just started. */
import { access } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

const LOOK_MS = 100;
/** Longer than the boot image itself waits (`iguana-devices.service`). */
const PATIENCE_MS = 180_000;

/**
 * Waits until all devices that the kernel had found have their drivers: the agent starts beside that, a machine without an id of its firmware's is
 * known by its network cards, and a step must not miss a disk. Disks that a bus reveals later (USB, fibre channel) are not waited for.
 * @param file `IGUANA_DEVICES_FILE`, which the boot image makes then; none beside a server
 * @param patienceMs default 3 minutes; then it goes on, and says so
 */
export async function devicesFound(
  file: string | undefined,
  logger: Logger,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  if (file === undefined) return;
  const deadline = performance.now() + patienceMs;
  while (!(await exists(file))) {
    if (performance.now() >= deadline) {
      logger.warn({ file }, 'some devices still have no driver; going on without them');
      return;
    }
    await sleep(LOOK_MS);
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
