/**
 * The agent: the steps on one machine, taken from that machine's own task queue. Runs in the agent container. On a machine
 * that it installs, it knows a gateway, enrols there, and is told who it is; beside a server, `IGUANA_MACHINE` tells it.
 */
import { join } from 'node:path';
import type { AgentSources } from '../activities/agent.ts';
import type { AgentActivities } from '../activities/contract.ts';
import { type StatePaths, statePaths } from '../host/state.ts';
import { machineQueue } from '../workflows/api.ts';
import { Narrator } from './console/narrator.ts';
import { devicesFound } from './enrolment/devices.ts';
import { enrolMachine } from './enrolment/enrol.ts';
import { fetchSecret } from './enrolment/fetch-secret.ts';
import { gatewaySource } from './enrolment/gateway-source.ts';
import { bootId } from './enrolment/identity.ts';
import { type EnrolmentSettings, enrolmentSettings } from './enrolment/settings.ts';
import { tlsFolder } from './enrolment/tls-files.ts';
import { lazySteps } from './lazy-steps.ts';
import { installLogger } from './log.ts';
import { runWorker } from './run-worker.ts';

const logger = installLogger('agent');
const paths = statePaths();
const settings = enrolmentSettings(process.env);
await devicesFound(process.env.IGUANA_DEVICES_FILE, logger);
const enrolled = settings && (await enrolMachine(settings, logger, new AbortController().signal));
const machineId = enrolled?.machineId ?? process.env.IGUANA_MACHINE;
if (!machineId) {
  logger.fatal(
    'neither IGUANA_GATEWAY nor IGUANA_MACHINE is set: the agent does not know which machine it serves',
  );
  process.exit(2);
}
await runWorker(
  logger,
  {
    taskQueue: machineQueue(machineId),
    activities: lazySteps(loadSteps),
    // The steps of an install follow one another; a cancelled one may still be cleaning up while `release` runs.
    maxConcurrentActivityTaskExecutions: 4,
    // Stands in the history beside each step.
    ...(enrolled && { identity: `agent, boot ${await bootId()}` }),
    interceptor: new Narrator(logger),
  },
  settings && enrolled && gatewaySource(settings, enrolled, logger),
);

/** For a machine that has nothing of its own: through the same door as everything else. */
async function gatewaySources(to: EnrolmentSettings, { run }: StatePaths): Promise<AgentSources> {
  const { servedLibrary } = await import('../activities/images/served-library.ts');
  const url = new URL('/images', to.gateway).href;
  return {
    images: servedLibrary({ url, certDir: tlsFolder(to), folder: join(run, 'image-files') }),
    secrets: (name) => fetchSecret(to, name),
  };
}

async function loadSteps(): Promise<AgentActivities> {
  try {
    const { agentActivities, hostSources } = await import('../activities/agent.ts');
    return agentActivities(settings ? await gatewaySources(settings, paths) : hostSources(paths));
  } catch (error) {
    // Whoever runs the agent starts the next one; its steps are tried again.
    logger.fatal({ err: error }, 'loading the steps failed');
    process.exit(1);
  }
}
