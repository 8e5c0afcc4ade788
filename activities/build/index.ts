/** Activities of task queue `builder`. */
import type { StatePaths } from '../../host/state.ts';
import type { BuilderActivities } from '../contract.ts';
import { buildImage } from './build-image.ts';

/** The activities of a builder worker that works on this state folder. */
export const builderActivities = (paths: StatePaths): BuilderActivities => ({
  buildImage: (image) => buildImage(paths, image),
});

export { removeLeftBuilds } from './place.ts';
