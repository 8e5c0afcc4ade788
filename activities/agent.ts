/** The activities of a machine's own task queue. */
import type { StatePaths } from '../host/state.ts';
import type { AgentActivities } from './contract.ts';
import { diskActivities } from './disk-steps.ts';
import { personaliseActivities } from './personalise/index.ts';

/** All of them; one that is missing does not compile. */
export function agentActivities(paths: StatePaths): AgentActivities {
  return { ...diskActivities(paths), ...personaliseActivities(paths) };
}
