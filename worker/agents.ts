/**
 * Keeps an agent container running for every machine that asks for one on this host, and removes it when the machine's
 * install has ended. The engine is asked what runs each time; nothing is remembered, so a kill loses nothing.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import type Docker from 'dockerode';
import type { Logger } from 'pino';
import { type AgentRequest, dismissAgent, requestedAgents } from '../host/agent-requests.ts';
import { codecFolder } from '../host/codec/keys.ts';
import type { StatePaths } from '../host/state.ts';
import { installWorkflowId } from '../workflows/api.ts';
import { keepLog } from './agent-log.ts';

const MACHINE_LABEL = 'org.iguana.machine';
/** Digest of all that the container was made with: another one means that it is to be made anew. */
const CONFIG_LABEL = 'org.iguana.config';
/** Two servers of different state folders on one host do not take each other's agents. */
const STATE_LABEL = 'org.iguana.state';

/** The agent gets this long to end the step it is in. */
const STOP_SECONDS = 10;

/** What the agents of a host share. */
export interface AgentHost {
  readonly docker: Docker;
  readonly image: string;
  readonly paths: StatePaths;
  readonly client: Client;
  /** Where agents find Temporal. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logger: Logger;
  /** Ids of the containers that are watched. */
  readonly watched: Set<string>;
}

/**
 * Brings what runs in line with what is asked for.
 * @param onEnd called when one of the agents ends: then it is time to look again
 */
export async function reconcileAgents(
  host: AgentHost,
  requests: readonly AgentRequest[],
  onEnd: () => void,
): Promise<void> {
  const containers = await host.docker.listContainers({
    all: true,
    filters: { label: [`${STATE_LABEL}=${host.paths.root}`] },
  });
  const wanted = new Map(requests.map((request) => [request.machineId, creation(host, request)]));
  for (const { Id, State, Labels } of containers) {
    const machineId = Labels[MACHINE_LABEL] ?? '';
    const isCurrent = Labels[CONFIG_LABEL] === wanted.get(machineId)?.Labels?.[CONFIG_LABEL];
    if (State === 'running' && isCurrent) {
      wanted.delete(machineId);
      await watch(host, host.docker.getContainer(Id), { machineId, onEnd });
    } else await remove(host, Id, machineId);
  }
  for (const [machineId, options] of wanted) {
    host.logger.info({ machineId }, 'starting the agent');
    const container = await host.docker.createContainer(options);
    // Before it starts, so that nothing it says is missed.
    await watch(host, container, { machineId, onEnd });
    await container.start();
  }
}

/** Stops all agents of this host; their installs go on when a server starts them again. */
export async function stopAgents(host: AgentHost): Promise<void> {
  const containers = await host.docker.listContainers({
    all: true,
    filters: { label: [`${STATE_LABEL}=${host.paths.root}`] },
  });
  await Promise.all(containers.map(({ Id, Labels }) => remove(host, Id, Labels[MACHINE_LABEL] ?? '')));
}

/** What is done with an agent that runs. */
interface Watch {
  readonly machineId: string;
  readonly onEnd: () => void;
}

/**
 * Keeps what an agent says, and tells when it ends: its output ends with it, and with an engine that goes away. The engine's own call
 * to wait is no better, and costs a quarter of a core for each agent with podman 4, which polls.
 */
async function watch(
  host: AgentHost,
  container: Docker.Container,
  { machineId, onEnd }: Watch,
): Promise<void> {
  if (host.watched.has(container.id)) return;
  const output = await container.attach({ stream: true, stdout: true, stderr: true });
  host.watched.add(container.id);
  output.once('close', () => {
    host.watched.delete(container.id);
    onEnd();
  });
  await keepLog(host, output, machineId);
}

/** The requests of installs that go on; those of installs that have ended are forgotten. One call to Temporal each. */
export async function standingRequests(host: AgentHost): Promise<AgentRequest[]> {
  const standing: AgentRequest[] = [];
  for (const request of await requestedAgents(host.paths)) {
    if (await hasEnded(host.client, request.machineId)) await dismissAgent(host.paths, request.machineId);
    else standing.push(request);
  }
  return standing;
}

async function hasEnded(client: Client, machineId: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(installWorkflowId(machineId)).describe();
    return status.name !== 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return true;
    throw error;
  }
}

function creation(host: AgentHost, request: AgentRequest): Docker.ContainerCreateOptions {
  const { paths, image, environment } = host;
  // The agent must see a device, a loop device's partitions and other people's mounts as the host does.
  const binds = [
    '/dev:/dev',
    ...[paths.store, paths.secrets, codecFolder(paths)].map((it) => `${it}:${it}:ro`),
  ];
  if (existsSync('/run/udev')) binds.push('/run/udev:/run/udev:ro');
  for (const folder of request.folders) binds.push(`${folder}:${folder}`);
  const Env = Object.entries({
    ...environment,
    IGUANA_MACHINE: request.machineId,
    IGUANA_STATE: paths.root,
  }).map(([name, value]) => `${name}=${value}`);
  const config = createHash('sha256').update(JSON.stringify({ image, binds, Env })).digest('hex');
  return {
    name: `iguana-agent-${createHash('sha256').update(`${paths.root} ${request.machineId}`).digest('hex').slice(0, 12)}`,
    Image: image,
    Env,
    Labels: { [MACHINE_LABEL]: request.machineId, [STATE_LABEL]: paths.root, [CONFIG_LABEL]: config },
    HostConfig: { Privileged: true, NetworkMode: 'host', PidMode: 'host', Binds: binds },
  };
}

async function remove(host: AgentHost, id: string, machineId: string): Promise<void> {
  host.logger.info({ machineId }, 'removing an agent');
  const container = host.docker.getContainer(id);
  await ignoringGone(() => container.stop({ t: STOP_SECONDS }));
  await ignoringGone(() => container.remove({ force: true }));
}

/** 304: it is stopped already. 404: it is gone already. Both are what was wanted. */
async function ignoringGone(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
    if (status !== 304 && status !== 404) throw error;
  }
}
