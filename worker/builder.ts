/** The builder worker: builds images in containers. */
import { builderActivities } from '../activities/build/index.ts';
import { statePaths } from '../host/state.ts';
import { BUILDER_QUEUE } from '../workflows/api.ts';
import { installLogger } from './log.ts';
import { runWorker } from './run-worker.ts';

/** A build uses all cores and gigabytes: more at once are no faster. More builders are, on more hosts. */
const BUILDS_AT_ONCE = 2;

const logger = installLogger('builder');
await runWorker(logger, {
  taskQueue: BUILDER_QUEUE,
  activities: builderActivities(statePaths()),
  maxConcurrentActivityTaskExecutions: BUILDS_AT_ONCE,
});
