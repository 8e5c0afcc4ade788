/** The agent's own container, with the step server of the tests as its program. */
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureAgentImage } from '../../../host/containers/agent.ts';
import type { Engine } from '../../../host/engine/connect.ts';
import { openEngine } from '../../../host/engine/open.ts';
import { removeContainer } from '../../../host/engine/run.ts';
import { statePaths } from '../../../host/state.ts';
import type { Answer, Request } from './protocol.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../..');

/** Marks the containers of these tests. */
const LABEL = 'org.iguana.test.disk';

/** What a container is made of. */
export interface ContainerPlace {
  readonly engine: Engine;
  readonly image: string;
  /** Seen in the container at the same path. */
  readonly folder: string;
  /** Of the agent, besides its state folder. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A container that runs. */
export interface AgentContainer {
  send(request: Request): void;
  /** Kills it with everything in it, and waits until it is gone. */
  kill(): Promise<void>;
}

/** What happens in a container. */
export interface ContainerEvents {
  onAnswer(answer: Answer): void;
  /** It has ended by itself, with these last words. */
  onEnd(words: string): void;
}

/** Node starts within a second, on a busy machine within many. */
const CONNECT_ATTEMPTS = 300;
const CONNECT_WAIT_MS = 100;

/** The image of the agent, built where the engine does not have it. */
export async function agentImage(): Promise<Pick<ContainerPlace, 'engine' | 'image'>> {
  const paths = statePaths();
  const engine = await openEngine(paths);
  await removeEnded(engine);
  const image = await ensureAgentImage(engine, paths, (line) => process.stderr.write(`${line}\n`));
  return { engine, image };
}

/** Removes what test runs that were killed have left. */
async function removeEnded(engine: Engine): Promise<void> {
  const filters = { label: [LABEL], status: ['exited'] };
  for (const { Id } of await engine.docker.listContainers({ all: true, filters }))
    await removeContainer(engine, Id);
}

/** Starts the container, as `worker/agents.ts` does for an install; it ends when this process does. */
export async function startContainer(
  { engine, image, folder, environment = {} }: ContainerPlace,
  { onAnswer, onEnd }: ContainerEvents,
): Promise<AgentContainer> {
  const socketPath = join(folder, 'agent.sock');
  await rm(socketPath, { force: true });
  const server = join(import.meta.dirname, 'step-server.ts');
  const container = await engine.docker.createContainer({
    Image: image,
    Cmd: [join(REPOSITORY, 'node_modules/.bin/node'), server, socketPath],
    Labels: { [LABEL]: '' },
    Env: Object.entries({ IGUANA_STATE: `${folder}/state`, ...environment }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    HostConfig: {
      Privileged: true,
      NetworkMode: 'host',
      PidMode: 'host',
      Binds: ['/dev:/dev', `${REPOSITORY}:${REPOSITORY}:ro`, `${folder}:${folder}`],
    },
  });
  const words = async (): Promise<string> =>
    (await container.logs({ stdout: true, stderr: true, tail: 50 })).toString();
  await container.start();
  const socket = await connected(socketPath, words);
  // A killed agent resets the connection. The reader of lines repeats the socket's errors; `close` tells of its end.
  createInterface({ input: socket })
    .on('line', (line) => onAnswer(JSON.parse(line) as Answer))
    .on('error', () => undefined);
  let isKilled = false;
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    if (!isKilled) words().then(onEnd, (error: Error) => onEnd(error.message));
  });
  return {
    send: (request) => void socket.write(`${JSON.stringify(request)}\n`),
    kill: async () => {
      isKilled = true;
      await removeContainer(engine, container.id);
    },
  };
}

/** Connects as soon as the step server listens. */
async function connected(path: string, words: () => Promise<string>): Promise<Socket> {
  for (let attempt = 1; ; attempt++) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (cause) {
      if (attempt === CONNECT_ATTEMPTS)
        throw new Error(`starting the agent: nobody listens: ${await words()}`, { cause });
    }
    await sleep(CONNECT_WAIT_MS);
  }
}
