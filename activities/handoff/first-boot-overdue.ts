/** Says why nobody has heard of an installed system. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StatePaths } from '../../host/state.ts';
import type { ControlActivities } from '../contract.ts';
import { failure } from '../failures.ts';

/** As much of the console as a person reads, and a history holds. */
const EXCERPT_LINES = 30;

async function consoleExcerpt(path: string): Promise<string[]> {
  try {
    return (await readFile(path, 'utf8')).split(/\r?\n/).filter(Boolean).slice(-EXCERPT_LINES);
  } catch (error) {
    // A machine that Iguana does not run itself has its console elsewhere.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** The activities around the first boot. */
export function handoffActivities(paths: StatePaths): Pick<ControlActivities, 'firstBootOverdue'> {
  return {
    async firstBootOverdue({ machineId, poweredOff, timeoutSeconds }) {
      const path = join(paths.consoles, `${machineId}.log`);
      const console_ = await consoleExcerpt(path);
      const what = poweredOff
        ? 'it powered off before it reported'
        : `it did not report within ${timeoutSeconds} s`;
      throw failure('FirstBootTimeout', `waiting for the first boot of ${machineId}: ${what}`, {
        context: console_.length > 0 ? { console: path, lastLines: console_ } : {},
      });
    },
  };
}
