/** The worst that can happen to an install, once in every demo. */
import type { Snapshot } from '../install/watch.ts';
import type { Iguana } from '../library.ts';
import { formatBytes } from '../output/format.ts';

/** In the middle of the disk write. */
const WRITTEN_SHARE = 0.3;

/**
 * Cuts the power of a demo's machine while it writes its disk, unless that machine has been started twice already.
 * @returns to be called with whatever is seen of the install; answers with what was done
 */
export function powerCut(
  iguana: Iguana,
  machineId: string,
): (snapshot: Snapshot) => Promise<string | undefined> {
  let done = false;
  return async ({ status, running }) => {
    const { doneBytes = 0, totalBytes = 0 } =
      running.find(({ activity }) => activity === 'writeImage')?.progress ?? {};
    const isDue = totalBytes > 0 && doneBytes >= totalBytes * WRITTEN_SHARE;
    if (done || !isDue || status.boots?.length !== 1) return undefined;
    done = true;
    await iguana.cutPower(machineId);
    return (
      `· power cut! QEMU was killed when ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)} were on the disk. ` +
      'The machine is switched on again, and goes on from there.'
    );
  };
}
