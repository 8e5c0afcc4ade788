/** Histories as the workflow saw them: decrypted, with the messages of failures in their places. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import {
  visit,
  walkGetWorkflowExecutionHistoryResponse,
} from '@temporalio/common/lib/internal-non-workflow/index.js';

/** A history as the SDK fetches it. */
export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** Fetches the history of the latest run of a workflow, and decrypts it with the client's keys. */
export async function readHistory(client: Client, workflowId: string): Promise<History> {
  const history = await client.workflow.getHandle(workflowId).fetchHistory();
  const [codec] = client.options.loadedDataConverter.payloadCodecs;
  if (!codec) return history;
  await visit({ history }, walkGetWorkflowExecutionHistoryResponse, {
    transformPayloads: (payloads) => codec.decode(payloads),
    transformPayload: async (payload) => (await codec.decode([payload]))[0] ?? payload,
  });
  return history;
}
