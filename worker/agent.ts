/** The agent: the steps on one machine, taken from that machine's own task queue. Runs in the agent container. */
import { agentActivities } from '../activities/agent.ts';
import { statePaths } from '../host/state.ts';
import { machineQueue } from '../workflows/api.ts';
import { installLogger } from './log.ts';
import { runWorker } from './run-worker.ts';

const logger = installLogger('agent');
const machineId = process.env.IGUANA_MACHINE;
if (!machineId) {
  logger.fatal('IGUANA_MACHINE is not set: the agent does not know which machine it serves');
  process.exit(2);
}
await runWorker(logger, {
  taskQueue: machineQueue(machineId),
  activities: agentActivities(statePaths()),
  // The steps of an install follow one another; a cancelled one may still be cleaning up while `release` runs.
  maxConcurrentActivityTaskExecutions: 4,
});
