/** The control worker: workflows, planning, and what happens beside the machine. */
import { cpus } from 'node:os';
import { controlActivities } from '../activities/control.ts';
import { statePaths } from '../host/state.ts';
import { CONTROL_QUEUE } from '../workflows/api.ts';
import { serveCodec } from './codec-endpoint.ts';
import { installLogger } from './log.ts';
import { runWorker } from './run-worker.ts';
import { workflowBundle } from './workflow-bundle.ts';

const paths = statePaths();
const logger = installLogger('control');
const codec = await serveCodec(paths, process.env, logger);
await runWorker(logger, {
  taskQueue: CONTROL_QUEUE,
  activities: controlActivities(paths),
  workflowBundle: { codePath: await workflowBundle(paths.cache) },
  // Virtual machines occupy a slot each for as long as they run.
  maxConcurrentActivityTaskExecutions: 20 * cpus().length,
});
await codec?.close();
