/** The builder worker: builds images in containers. */
import { builderActivities, removeLeftBuilds } from '../activities/build/index.ts';
import { openEngine } from '../host/engine/open.ts';
import { statePaths } from '../host/state.ts';
import { BUILDER_QUEUE } from '../workflows/api.ts';
import { installLogger } from './log.ts';
import { runWorker } from './run-worker.ts';

/** A build uses all cores and gigabytes: more at once are no faster. More builders are, on more hosts. */
const BUILDS_AT_ONCE = 2;

const logger = installLogger('builder');
const paths = statePaths();
// Beside the work: a build that is waiting need not wait for this.
openEngine(paths)
  .then((engine) => removeLeftBuilds(paths, engine))
  .catch((error: unknown) => logger.warn({ err: error }, 'removing what killed builds have left failed'));
await runWorker(logger, {
  taskQueue: BUILDER_QUEUE,
  activities: builderActivities(paths),
  maxConcurrentActivityTaskExecutions: BUILDS_AT_ONCE,
});
