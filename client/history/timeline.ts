/** Fetches the history of an install, running or long ended, with the build it waited for. */
import type { Client } from '@temporalio/client';
import { installWorkflowId } from '../../workflows/api.ts';
import { notFoundAs } from '../session.ts';
import type { Timeline, TimelineEntry } from './entries.ts';
import { TimelineReader } from './read.ts';

/**
 * The timeline of an install.
 * @param runId default: the latest install of the machine
 * @throws CommandError where no install of this machine is known
 */
export async function installTimeline(client: Client, machineId: string, runId?: string): Promise<Timeline> {
  const workflowId = installWorkflowId(machineId);
  const handle = client.workflow.getHandle(workflowId, runId);
  const description = await notFoundAs(machineId, () => handle.describe());
  const entries = await entriesOf(client, workflowId, description.runId);
  return {
    machineId,
    workflowId,
    runId: description.runId,
    startedAt: description.startTime.toISOString(),
    ...(description.closeTime && { endedAt: description.closeTime.toISOString() }),
    entries: await Promise.all(entries.map((entry) => withBuild(client, entry))),
  };
}

async function entriesOf(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<readonly TimelineEntry[]> {
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  return new TimelineReader(client.options.loadedDataConverter).read(events ?? []);
}

async function withBuild(client: Client, entry: TimelineEntry): Promise<TimelineEntry> {
  if (entry.kind !== 'build' || !entry.runId) return entry;
  try {
    return { ...entry, entries: await entriesOf(client, entry.workflowId, entry.runId) };
  } catch (error) {
    // The build's own history may have passed its retention time before the install's.
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return entry;
    throw error;
  }
}
