/** Leaving the installer: the machine reboots, powers off, or starts the installed kernel right away. */
import { readFile } from 'node:fs/promises';
import type { AgentActivities } from '../contract.ts';
import { runTool } from '../disk/command.ts';
import { failure } from '../failures.ts';
import { loadKernel } from './load-kernel.ts';

/** The first real-time signal that programs see: the C library keeps two for itself (signal(7)). */
const SIGRTMIN = 34;

/** Signals by which systemd's process 1 starts a clean reboot, power-off, or reboot by kexec; see systemd(1), "Signals". */
const SIGNALS = { reboot: SIGRTMIN + 5, poweroff: SIGRTMIN + 4, kexec: SIGRTMIN + 6 } as const;

/**
 * Asks process 1 of the machine to leave; it does so after this step has been reported.
 * @throws failure `HandoffImpossible` where the install is onto a disk of a host that must stay up
 */
export const leave: AgentActivities['leave'] = async (input) => {
  const { action, target } = input;
  const doing = `leaving the installer (${action})`;
  if (target.kind !== 'machine')
    throw failure('HandoffImpossible', `${doing}: this host only prepares a disk for another machine`);
  const init = (await readFile('/proc/1/comm', 'utf8')).trim();
  if (init !== 'systemd')
    throw failure('CommandFailed', `${doing}: process 1 is ${init}, not systemd, and knows no such signal`);
  if (input.action === 'kexec') await loadKernel(input);
  await runTool('sync', [], { doing });
  process.kill(1, SIGNALS[action]);
};
