/** Times of commands. */
import { execa } from 'execa';

/** What a command took. */
export interface Timing {
  readonly seconds: number;
  /** Of the command and all that it started. */
  readonly cpuSeconds: number;
}

/**
 * Runs a command of bash and waits for it; what it writes was flushed by itself.
 * @throws Error with what it said, where it fails
 */
export async function timed(command: string): Promise<Timing> {
  const script = `set -euo pipefail; TIMEFORMAT='timed %R %U %S'; time { ${command}\n}`;
  const { stderr } = await execa('bash', ['-c', script], { stdin: 'ignore' });
  const [, real, user, system] = /^timed ([\d.]+) ([\d.]+) ([\d.]+)$/m.exec(stderr) ?? [];
  return { seconds: Number(real), cpuSeconds: Number(user) + Number(system) };
}

/** The middle one, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  return middle.length === 0 ? Number.NaN : middle.reduce((sum, value) => sum + value, 0) / middle.length;
}
