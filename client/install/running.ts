/** Progress of running activities, read from what the server knows about them. */
import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { PendingProgress } from '../../workflows/api.ts';
import { describeError } from '../errors.ts';

/** A running activity. */
export interface RunningActivity {
  readonly activity: string;
  readonly attempt: number;
  /** What it heartbeat last; absent before the first. */
  readonly progress?: PendingProgress;
  /** Why the attempt before this one failed, with its causes. */
  readonly lastFailure?: string;
  /** False while it waits for a worker: nobody polls its queue, or the next attempt is due later. */
  readonly started: boolean;
}

/** PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED of Temporal’s API. */
const SCHEDULED = 1;

/** The activities of a workflow that have not ended. */
export async function runningActivities(
  description: WorkflowExecutionDescription,
  converter: LoadedDataConverter,
): Promise<RunningActivity[]> {
  const pending = description.raw.pendingActivities ?? [];
  return Promise.all(
    pending.map(async (entry) => {
      const attempt = entry.attempt ?? 1;
      const details: unknown[] = await decodeArrayFromPayloads(converter, entry.heartbeatDetails?.payloads);
      const progress = details.find(isProgress);
      const failure = await decodeOptionalFailureToOptionalError(converter, entry.lastFailure);
      const described = failure && describeError(failure);
      return {
        activity: entry.activityType?.name ?? 'activity',
        attempt,
        started: entry.state !== SCHEDULED,
        ...(progress && { progress: { ...progress, attempt } }),
        ...(described && { lastFailure: [described.message, ...described.causes].join(': ') }),
      };
    }),
  );
}

function isProgress(value: unknown): value is PendingProgress {
  return typeof value === 'object' && value !== null && 'step' in value && typeof value.step === 'string';
}
