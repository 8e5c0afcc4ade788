/** Following an install while it runs, through restarts of workers and of the server itself. */
import { isDeepStrictEqual } from 'node:util';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { buildWorkflowId, type InstallStatus, installWorkflowId, QUERIES } from '../../workflows/api.ts';
import { isUnreachable, notFoundAs } from '../session.ts';
import { type RunningActivity, runningActivities } from './running.ts';

/** Temporal's word for how a workflow stands, e.g. `RUNNING`, `COMPLETED`, `TERMINATED`. */
export type ExecutionStatus = WorkflowExecutionDescription['status']['name'];

/** What is known of an install at one moment. */
export interface Snapshot {
  readonly machineId: string;
  readonly runId: string;
  readonly execution: ExecutionStatus;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly status: InstallStatus;
  readonly running: readonly RunningActivity[];
}

/** One thing that `watch` tells. */
export type WatchEvent =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  /** The server or its workers do not answer; told once until they do again. */
  | { readonly kind: 'unreachable'; readonly reason: string };

/** How to follow. */
export interface WatchOptions {
  /** Default: the latest run. */
  readonly runId?: string;
  /** Ends the watching, not the install. */
  readonly signal?: AbortSignal;
  /** Time between two looks in ms; default 500. */
  readonly intervalMs?: number;
}

/** How long one answer may take before the server counts as unreachable. */
const ANSWER_MS = 10_000;

/**
 * One look at an install.
 * @param previous saves asking the workflow again where it has not moved since
 * @throws CommandError where no install of this machine is known
 */
export async function look(
  client: Client,
  machineId: string,
  runId?: string,
  previous?: { snapshot: Snapshot; historyLength: number },
): Promise<{ snapshot: Snapshot; historyLength: number }> {
  const handle = client.workflow.getHandle(installWorkflowId(machineId), runId);
  return client.connection.withDeadline(Date.now() + ANSWER_MS, async () => {
    const description = await notFoundAs(machineId, () => handle.describe());
    const unchanged =
      previous?.historyLength === description.historyLength && previous.snapshot.runId === description.runId;
    const status = unchanged ? previous.snapshot.status : await handle.query<InstallStatus>(QUERIES.status);
    const snapshot: Snapshot = {
      machineId,
      runId: description.runId,
      execution: description.status.name,
      startedAt: description.startTime.toISOString(),
      ...(description.closeTime && { endedAt: description.closeTime.toISOString() }),
      status,
      running: await activities(client, description, status),
    };
    return { snapshot, historyLength: description.historyLength };
  });
}

/** Running activities of the install, and of the build that it waits for. */
async function activities(
  client: Client,
  description: WorkflowExecutionDescription,
  status: InstallStatus,
): Promise<RunningActivity[]> {
  const converter = client.options.loadedDataConverter;
  const own = await runningActivities(description, converter);
  if (status.phase !== 'build' || !status.imageDigest) return own;
  const build = client.workflow.getHandle(buildWorkflowId(status.imageDigest));
  try {
    return [...own, ...(await runningActivities(await build.describe(), converter))];
  } catch (error) {
    // Between the phase's begin and the build's there is nothing to see yet.
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return own;
    throw error;
  }
}

/**
 * Tells whatever changes until the install ends or `signal` says stop. Goes on where the server is restarted.
 * @param connect gives the connection to use now; called again when the server was unreachable
 * @throws CommandError where no install of this machine is known
 */
export async function* watchInstall(
  connect: () => Promise<Client>,
  machineId: string,
  options: WatchOptions = {},
): AsyncGenerator<WatchEvent, void> {
  const { signal, intervalMs = 500 } = options;
  let last: { snapshot: Snapshot; historyLength: number } | undefined;
  let reachable = true;
  while (!signal?.aborted) {
    try {
      const client = await connect();
      const seen = await look(client, machineId, last?.snapshot.runId ?? options.runId, last);
      if (!reachable || !isDeepStrictEqual(seen.snapshot, last?.snapshot)) {
        yield { kind: 'snapshot', snapshot: seen.snapshot };
      }
      reachable = true;
      last = seen;
      if (seen.snapshot.execution !== 'RUNNING') return;
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      if (reachable) yield { kind: 'unreachable', reason: error.message };
      reachable = false;
    }
    await pause(intervalMs, signal);
  }
}

/** Waits; an aborted signal ends the waiting without an error. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done, { once: true });
  });
}
