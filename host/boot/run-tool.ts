/** Programs that make boot media. */
import { execa } from 'execa';
import { EPOCH_SECONDS } from '../containers/debian.ts';

/**
 * Runs a program in an environment in which the same input gives the same bytes.
 * @param use `doing`: what it is run for, e.g. `making boot/iguana.iso`; `from`: the Debian package that has it; `stdout`: file that gets what it writes
 * @throws Error with what the program said
 */
export async function runTool(
  program: string,
  args: readonly string[],
  use: { readonly doing: string; readonly from: string; readonly stdout?: string },
): Promise<void> {
  const { doing, from, stdout } = use;
  // FAT keeps local time; mtools would ask about the geometry of a disk.
  const env = {
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    MTOOLS_SKIP_CHECK: '1',
    SOURCE_DATE_EPOCH: String(EPOCH_SECONDS),
  };
  try {
    await execa(program, args, { env, ...(stdout !== undefined && { stdout: { file: stdout } }) });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${doing}: ${why} (Debian’s package ${from})`, { cause });
  }
}
