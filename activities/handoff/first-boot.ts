/** Says what is wrong with a first boot. */
import { readFile } from 'node:fs/promises';
import type { StatePaths } from '../../host/state.ts';
import type { ControlActivities } from '../contract.ts';
import { type FailureDetails, failure } from '../failures.ts';
import { machineFiles } from '../power/machine-files.ts';

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
export function handoffActivities(
  paths: StatePaths,
): Pick<ControlActivities, 'firstBootOverdue' | 'firstBootScriptsFailed'> {
  const consoleOf = async (machineId: string): Promise<FailureDetails['context']> => {
    const path = machineFiles(paths, machineId).console;
    const lastLines = await consoleExcerpt(path);
    return lastLines.length > 0 ? { console: path, lastLines } : {};
  };
  return {
    async firstBootOverdue({ machineId, poweredOff, timeoutSeconds }) {
      const what = poweredOff
        ? 'it powered off before it reported'
        : `it did not report within ${timeoutSeconds} s`;
      throw failure('FirstBootTimeout', `waiting for the first boot of ${machineId}: ${what}`, {
        context: { ...(await consoleOf(machineId)) },
      });
    },
    async firstBootScriptsFailed({ machineId, failedScripts }) {
      const doing = `running the first-boot scripts of ${machineId}`;
      throw failure('FirstBootScriptFailed', `${doing}: these failed: ${failedScripts.join(', ')}`, {
        context: { failedScripts, ...(await consoleOf(machineId)) },
      });
    },
  };
}
