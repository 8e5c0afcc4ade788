/** Consent to what an install destroys, by the person at the terminal. */
import { ask } from '../ask.ts';
import type { Iguana } from '../library.ts';
import type { Output } from '../output/output.ts';
import { person } from '../person.ts';
import { destroyedLines } from './view.ts';
import type { Snapshot } from './watch.ts';

/**
 * Shows what would be destroyed and asks for the disk's name: a reflex answers "y", but does not type a disk's name.
 * @param signal ends the question
 * @returns false where nobody sits at a terminal, or the answer was another
 */
export async function consentAtTerminal(
  output: Output,
  iguana: Iguana,
  snapshot: Snapshot,
  signal: AbortSignal,
): Promise<boolean> {
  const { machineId, status } = snapshot;
  output.line(output.tone('warn', 'This will be destroyed:'));
  for (const line of destroyedLines(status.destroyed)) output.line(line);
  if (!output.interactive) return false;
  const name = diskName(status.diskId ?? status.destroyed[0]?.diskId ?? machineId);
  const answer = await ask(`To destroy it, type the disk's name, ${name}: `, signal);
  if (answer !== name) {
    output.line('Not the name: nothing is destroyed, the install waits.');
    return false;
  }
  await iguana.approve(machineId, { by: person(), reason: 'typed the name of the disk' });
  return true;
}

/** What a person types: the last part of the identity, e.g. `disk.img` or the WWN. */
function diskName(diskId: string): string {
  const value = diskId.slice(diskId.indexOf(':') + 1);
  return value.slice(value.lastIndexOf('/') + 1);
}
