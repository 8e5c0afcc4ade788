/** Waits until the workers of a server are there: what is started before would wait too, but say nothing of why. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { BUILDER_QUEUE, CONTROL_QUEUE } from '../workflows/api.ts';

const POLL_MS = 200;
/** `TASK_QUEUE_TYPE_WORKFLOW` and `TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API. */
const TYPES = { workflow: 1, activity: 2 } as const;

/** Waits for pollers of both shared queues, or until the signal. */
export async function waitForPollers(client: Client, signal: AbortSignal): Promise<void> {
  const wanted = [
    { name: CONTROL_QUEUE, taskQueueType: TYPES.workflow },
    { name: CONTROL_QUEUE, taskQueueType: TYPES.activity },
    { name: BUILDER_QUEUE, taskQueueType: TYPES.activity },
  ];
  for (const { name, taskQueueType } of wanted) {
    while (!signal.aborted && !(await hasPollers(client, name, taskQueueType))) await sleep(POLL_MS);
  }
}

async function hasPollers(client: Client, name: string, taskQueueType: number): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name },
    taskQueueType,
  });
  return (pollers ?? []).length > 0;
}
