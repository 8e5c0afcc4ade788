/** What Temporal itself keeps of a workflow, looked at without any key. */
import type { Client } from '@temporalio/client';
import {
  visit,
  walkDescribeWorkflowExecutionResponse,
  walkGetWorkflowExecutionHistoryResponse,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import proto from '@temporalio/proto';
import { isSealed } from '../../host/codec/codec.ts';

const api = proto.temporal.api.workflowservice.v1;
const PAYLOAD_FIELDS = { skipHeaders: true, skipSearchAttributes: true };

/** @see kept */
export interface Kept {
  /** History and description, byte for byte as the server sends them. */
  readonly bytes: Buffer;
  readonly payloads: number;
  /** Payloads that did not go through the codec; those of search attributes are not counted. */
  readonly unsealed: number;
}

/** Fetches the history and the description of a workflow's latest run. */
export async function kept(client: Client, workflowId: string): Promise<Kept> {
  const request = { namespace: 'default', execution: { workflowId } };
  const { workflowService } = client;
  const history = await workflowService.getWorkflowExecutionHistory(request);
  const described = await workflowService.describeWorkflowExecution(request);
  const bytes = Buffer.concat([
    api.GetWorkflowExecutionHistoryResponse.encode(history).finish(),
    api.DescribeWorkflowExecutionResponse.encode(described).finish(),
  ]);
  let payloads = 0;
  let unsealed = 0;
  const look = {
    ...PAYLOAD_FIELDS,
    transformPayloads: async (all: proto.temporal.api.common.v1.IPayload[]) => {
      payloads += all.length;
      unsealed += all.filter((payload) => !isSealed(payload)).length;
      return all;
    },
    transformPayload: async (payload: proto.temporal.api.common.v1.IPayload) =>
      (await look.transformPayloads([payload]))[0] ?? payload,
  };
  await visit(history, walkGetWorkflowExecutionHistoryResponse, look);
  await visit(described, walkDescribeWorkflowExecutionResponse, look);
  return { bytes, payloads, unsealed };
}
