/** The disk steps of the agent. */
import type { StatePaths } from '../host/state.ts';
import type { AgentActivities } from './contract.ts';
import { leave } from './handoff/leave.ts';
import { partition } from './partition/partition.ts';
import { probe } from './probe/probe.ts';
import { release } from './release/release.ts';

/** The activities that this module answers for. */
type DiskActivities = Pick<AgentActivities, 'probe' | 'partition' | 'release' | 'leave'>;

/** @param paths where the store of images is */
export function diskActivities(_paths: StatePaths): DiskActivities {
  return { probe, partition, release, leave };
}
