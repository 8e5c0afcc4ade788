/** Virtual machines on this host. */
import type { StatePaths } from '../../host/state.ts';
import type { ControlActivities } from '../contract.ts';
import { cutPower } from './cut-power.ts';
import { runVirtualMachine } from './virtual-machine.ts';

/** @param paths where consoles and records of machines are kept */
export function powerActivities(
  paths: StatePaths,
): Pick<ControlActivities, 'runVirtualMachine' | 'cutPower'> {
  return {
    runVirtualMachine: (input) => runVirtualMachine(paths, input),
    cutPower: (input) => cutPower(paths, input),
  };
}
