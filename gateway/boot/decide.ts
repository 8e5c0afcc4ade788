/** What a machine shall start from. Firmware that prefers the network asks at every start, so the answer ends the installing. */
import { type InstallStatus, PHASES } from '../../workflows/api.ts';

/** The installer, or the machine's own disk. */
export type BootTarget = 'installer' | 'disk';

/**
 * Reads the answer from an install. The disk is whole when the machine has left the installer, not only when the installed system has
 * reported: its first start comes in between. An install that was amended afterwards goes through its phases again, in the installer.
 * @param install undefined where no install of the machine is known: it starts the installer, enrols, and waits
 */
export function bootTarget(install: Pick<InstallStatus, 'phases'> | undefined): BootTarget {
  if (!install) return 'installer';
  const ends = new Map(install.phases.map(({ phase, state }) => [phase, state]));
  const before = PHASES.slice(0, PHASES.indexOf('handoff') + 1);
  return before.every((phase) => ['done', 'skipped'].includes(ends.get(phase) ?? '')) ? 'disk' : 'installer';
}
