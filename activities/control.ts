/** The activities of task queue `control`. */
import type { StatePaths } from '../host/state.ts';
import type { ControlActivities } from './contract.ts';
import { handoffActivities } from './handoff/first-boot.ts';
import { planActivities } from './plan/plan.ts';
import { powerActivities } from './power/index.ts';

/** All of them; one that is missing does not compile. */
export function controlActivities(paths: StatePaths): ControlActivities {
  return { ...planActivities(), ...powerActivities(paths), ...handoffActivities(paths) };
}
