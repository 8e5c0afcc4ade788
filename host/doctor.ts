/** What Iguana needs of this host, what is missing, and how to get it. */
import type { Check } from './doctor/check.ts';
import {
  checkFilesystems,
  checkKvm,
  checkLoopDevices,
  checkMemory,
  checkRoot,
  checkSpace,
} from './doctor/machine.ts';
import { checkMirror } from './doctor/mirror.ts';
import {
  checkDebianPackages,
  checkEngine,
  checkNode,
  checkNpmPackages,
  checkTemporal,
  checkVirtualMachines,
} from './doctor/software.ts';
import type { StatePaths } from './state.ts';

export type { Check } from './doctor/check.ts';

/**
 * Looks at everything, in seconds, also where a part of the host hangs. Changes nothing, but that it starts podman's
 * service where no engine listens.
 * @returns the checks in the order to show them
 */
export async function examineHost(paths: StatePaths): Promise<Check[]> {
  const checks = await Promise.all([
    checkRoot(),
    checkNode(),
    checkNpmPackages(),
    checkDebianPackages(),
    checkTemporal(paths),
    checkEngine(paths),
    checkVirtualMachines(),
    checkKvm(),
    checkLoopDevices(),
    checkFilesystems(),
    checkSpace(paths),
    checkMemory(),
    checkMirror(),
  ]);
  return checks.flat();
}
