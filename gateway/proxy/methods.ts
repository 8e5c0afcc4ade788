/**
 * What a machine may call, and nothing else. Requests are made anew from the fields that an activity worker needs: what is
 * not named here does not reach Temporal.
 */
import { status } from '@grpc/grpc-js';
import type { WorkflowService } from '@temporalio/client';
import {
  walkPollActivityTaskQueueResponse,
  walkRecordActivityTaskHeartbeatRequest,
  walkRespondActivityTaskCanceledRequest,
  walkRespondActivityTaskCompletedRequest,
  walkRespondActivityTaskFailedRequest,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import proto from '@temporalio/proto';
import { machineQueue } from '../../workflows/api.ts';
import type { MachinePayloads } from './payloads.ts';
import type { TaskTokens } from './task-token.ts';
import { CallFailed } from './wire.ts';

const api = proto.temporal.api.workflowservice.v1;

/** What a call is made with. */
export interface CallContext {
  readonly machineId: string;
  readonly namespace: string;
  readonly tokens: TaskTokens;
  readonly payloads: MachinePayloads;
  readonly service: WorkflowService;
  /**
   * To be asked before a task is handed over.
   * @throws Error where nobody waits any longer, or the machine has been locked out meanwhile
   */
  checkCaller(): Promise<void>;
}

/** A call that its machine may not make. */
export class Denied extends CallFailed {
  /** For the record. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(status.PERMISSION_DENIED, message);
    this.reason = reason;
  }
}

/** Answers a request, both as bytes. */
export type Method = (request: Uint8Array, context: CallContext) => Promise<Uint8Array>;

const NOTHING = new Uint8Array(0);

/** The server's defaults for workers that say nothing of it: no features that would need calls which are denied here. */
const NO_CAPABILITIES = {};

/** The name under which a machine's work stands in histories. What it says itself is not believed. */
const identityOf = (machineId: string): string => `machine ${machineId}`;

function checkNamespace(namespace: string, context: CallContext): void {
  if (namespace !== context.namespace) {
    throw new Denied('namespace', `machines are served in namespace ${context.namespace} only`);
  }
}

/** The fields that all requests about a task share, after their check. */
function ofTask(request: { taskToken: Uint8Array; namespace: string }, context: CallContext) {
  checkNamespace(request.namespace, context);
  const taskToken = context.tokens.unwrap(context.machineId, request.taskToken);
  if (!taskToken) throw new Denied('task-token', 'this is no task that was given to this machine');
  return { taskToken, namespace: context.namespace, identity: identityOf(context.machineId) };
}

/**
 * A task that cannot be decrypted or handed over: its install is told at once, and tries again as its retry policy says. Kept back, it
 * would be missed when it times out.
 */
async function refuseTask(
  taskToken: Uint8Array,
  context: CallContext,
  { type, error }: { readonly type: 'PayloadRefused' | 'NotHandedOver'; readonly error: unknown },
): Promise<void> {
  await context.service.respondActivityTaskFailed({
    taskToken,
    namespace: context.namespace,
    identity: identityOf(context.machineId),
    failure: {
      message: error instanceof Error ? error.message : String(error),
      source: 'Iguana gateway',
      applicationFailureInfo: { type },
    },
  });
}

/** By their names in `temporal.api.workflowservice.v1.WorkflowService`. */
export const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  [
    'GetSystemInfo',
    async (_request, { service }) =>
      api.GetSystemInfoResponse.encode(await service.getSystemInfo({})).finish(),
  ],
  [
    'DescribeNamespace',
    async (bytes, context) => {
      const request = decoded(() => api.DescribeNamespaceRequest.decode(bytes));
      if (request.id) throw new Denied('namespace', 'namespaces are described by their name only');
      checkNamespace(request.namespace, context);
      const { namespaceInfo } = await context.service.describeNamespace({ namespace: context.namespace });
      const { name, state } = namespaceInfo ?? {};
      return api.DescribeNamespaceResponse.encode({
        namespaceInfo: { name: name ?? null, state: state ?? null, capabilities: NO_CAPABILITIES },
      }).finish();
    },
  ],
  [
    'PollActivityTaskQueue',
    async (bytes, context) => {
      const request = decoded(() => api.PollActivityTaskQueueRequest.decode(bytes));
      checkNamespace(request.namespace, context);
      const { machineId, namespace, tokens, service } = context;
      const queue = machineQueue(machineId);
      const { name, kind, normalName } = request.taskQueue ?? {};
      // Another kind of queue, sticky ones for instance, has a name of its own behind this one.
      const isPlain = normalName === '' && (kind === undefined || Number(kind) <= 1);
      if (name !== queue || !isPlain)
        throw new Denied('task-queue', `this machine polls task queue ${queue} only`);
      const task = await service.pollActivityTaskQueue({
        namespace,
        taskQueue: { name: queue, kind: proto.temporal.api.enums.v1.TaskQueueKind.TASK_QUEUE_KIND_NORMAL },
        identity: identityOf(machineId),
      });
      // Empty: no task came in time.
      if (task.taskToken.length === 0) return api.PollActivityTaskQueueResponse.encode(task).finish();
      try {
        await context.payloads.decrypt(task, walkPollActivityTaskQueueResponse);
      } catch (error) {
        await refuseTask(task.taskToken, context, { type: 'PayloadRefused', error });
        return NOTHING;
      }
      try {
        await context.checkCaller();
      } catch (error) {
        await refuseTask(task.taskToken, context, { type: 'NotHandedOver', error });
        throw error;
      }
      const taskToken = tokens.wrap(machineId, task.taskToken);
      return api.PollActivityTaskQueueResponse.encode({ ...task, taskToken }).finish();
    },
  ],
  [
    'RecordActivityTaskHeartbeat',
    async (bytes, context) => {
      const request = decoded(() => api.RecordActivityTaskHeartbeatRequest.decode(bytes));
      const task = ofTask(request, context);
      await context.payloads.encrypt(request, walkRecordActivityTaskHeartbeatRequest);
      const { details = null } = request;
      const answer = await context.service.recordActivityTaskHeartbeat({ ...task, details });
      return api.RecordActivityTaskHeartbeatResponse.encode(answer).finish();
    },
  ],
  [
    'RespondActivityTaskCompleted',
    async (bytes, context) => {
      const request = decoded(() => api.RespondActivityTaskCompletedRequest.decode(bytes));
      const task = ofTask(request, context);
      await context.payloads.encrypt(request, walkRespondActivityTaskCompletedRequest);
      const { result = null } = request;
      await context.service.respondActivityTaskCompleted({ ...task, result });
      return NOTHING;
    },
  ],
  [
    'RespondActivityTaskFailed',
    async (bytes, context) => {
      const request = decoded(() => api.RespondActivityTaskFailedRequest.decode(bytes));
      const task = ofTask(request, context);
      await context.payloads.encrypt(request, walkRespondActivityTaskFailedRequest);
      const { failure = null, lastHeartbeatDetails = null } = request;
      await context.service.respondActivityTaskFailed({ ...task, failure, lastHeartbeatDetails });
      return NOTHING;
    },
  ],
  [
    'RespondActivityTaskCanceled',
    async (bytes, context) => {
      const request = decoded(() => api.RespondActivityTaskCanceledRequest.decode(bytes));
      const task = ofTask(request, context);
      await context.payloads.encrypt(request, walkRespondActivityTaskCanceledRequest);
      const { details = null } = request;
      await context.service.respondActivityTaskCanceled({ ...task, details });
      return NOTHING;
    },
  ],
  // Workers call these beside their work. They say things of workers by names that nobody checks: answered, not passed on.
  ['RecordWorkerHeartbeat', async () => NOTHING],
  ['ShutdownWorker', async () => NOTHING],
]);

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch {
    throw new CallFailed(status.INVALID_ARGUMENT, 'the request is no message of this method');
  }
}
