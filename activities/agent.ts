/** The activities of a machine's own task queue. */
import type { StatePaths } from '../host/state.ts';
import type { AgentActivities } from './contract.ts';
import { diskActivities } from './disk-steps.ts';
import { imageLibrary } from './images/from-environment.ts';
import type { ImageLibrary } from './images/library.ts';
import { personaliseActivities } from './personalise/index.ts';

/**
 * All of them; one that is missing does not compile.
 * @param images default by the environment
 */
export function agentActivities(
  paths: StatePaths,
  images: ImageLibrary = imageLibrary(paths),
): AgentActivities {
  return { ...diskActivities(images), ...personaliseActivities(paths, images) };
}
