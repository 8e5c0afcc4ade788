/**
 * Runs inside the agent container: takes steps as JSON lines from a socket, runs the real activities, and answers there.
 * It ends with the connection. The environment gives an activity nothing but its context: heartbeats and cancellation.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { execa } from 'execa';
import { agentActivities, hostSources } from '../../../activities/agent.ts';
import type { AgentActivities } from '../../../activities/contract.ts';
import { statePaths } from '../../../host/state.ts';
import type { Answer, Request, StepFailure } from './protocol.ts';

// A failure is answered; the log would say it twice.
const logger = new DefaultLogger('ERROR');
const activities: AgentActivities = agentActivities(hostSources(statePaths()));
const running = new Map<number, MockActivityEnvironment>();
const socket = await connection(process.argv[2] ?? '');
const answer = (value: Answer): void => {
  socket.write(`${JSON.stringify(value)}\n`);
};

for await (const line of createInterface({ input: socket })) {
  const request = JSON.parse(line) as Request;
  if (request.kind === 'cancel') running.get(request.id)?.cancel('CANCELLED');
  else if (request.kind === 'shell') void shell(request);
  else void run(request);
}

process.exit();

/** The connection of the test that started this container. */
async function connection(path: string): Promise<Socket> {
  const server = createServer().listen(path);
  const [socket] = (await once(server, 'connection')) as [Socket];
  return socket;
}

async function run({
  id,
  activity,
  input,
  stopAtHeartbeat,
}: Extract<Request, { kind: 'run' }>): Promise<void> {
  const environment = new MockActivityEnvironment({}, { logger });
  running.set(id, environment);
  let heartbeats = 0;
  environment.on('heartbeat', (progress) => {
    heartbeats += 1;
    answer({ id, kind: 'heartbeat', progress });
    if (heartbeats === stopAtHeartbeat) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
  try {
    const step = activities[activity] as (input: unknown) => Promise<unknown>;
    answer({ id, kind: 'result', value: (await environment.run(step, input)) ?? null });
  } catch (error) {
    answer({ id, kind: 'failure', failure: describe(error) });
  } finally {
    running.delete(id);
  }
}

/** Runs what a case or its judge asks for; a script that fails anywhere fails as a whole. */
async function shell({ id, script }: Extract<Request, { kind: 'shell' }>): Promise<void> {
  const { failed, stdout, all } = await execa('sh', ['-euc', script], {
    reject: false,
    all: true,
    stdin: 'ignore',
    env: { LC_ALL: 'C' },
  });
  if (failed) {
    const failure = { type: 'ShellFailed', message: `${script}\n${all}`, nonRetryable: false, details: null };
    answer({ id, kind: 'failure', failure });
  } else answer({ id, kind: 'result', value: stdout });
}

function describe(error: unknown): StepFailure {
  if (error instanceof ApplicationFailure)
    return {
      type: error.type ?? '',
      message: error.message,
      nonRetryable: error.nonRetryable ?? false,
      details: error.details?.[0] ?? null,
    };
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { type: name, message, nonRetryable: false, details: stack };
}
