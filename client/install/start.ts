/** Starting an install on behalf of a command. */
import type { InstallInput } from '../../workflows/api.ts';
import type { Iguana } from '../library.ts';
import type { Output } from '../output/output.ts';

/** Starts an install, or finds the one that runs, and says which. */
export async function startInstall(output: Output, iguana: Iguana, input: InstallInput): Promise<void> {
  const started = await iguana.startInstall(input);
  output.json({ kind: 'started', ...started });
  if (started.attached) {
    output.line(
      `An install of ${started.machineId} is running already: showing that one. What you gave now is not used.`,
    );
  } else {
    output.line(`Installing ${output.tone('strong', started.machineId)} · iguana watch ${started.machineId}`);
  }
}
