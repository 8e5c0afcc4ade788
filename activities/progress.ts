/**
 * Heartbeats. An activity says what it has flushed by {@link reportProgress}; {@link LivenessInterceptor} repeats that
 * while the activity works, so that a killed worker is noticed within the heartbeat timeout also in steps that run one
 * long command and have nothing to report.
 */
import { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import type { Progress } from './contract.ts';

/** How often the latest progress is repeated. A fifth of the heartbeat timeout in `workflows/policies.ts`. */
const LIVENESS_INTERVAL_MS = 2_000;

const latest = new WeakMap<Context, Progress>();

/**
 * Heartbeats progress of the running activity.
 * @param progress only what a kill right now would not take back: bytes count after `fdatasync`
 */
export function reportProgress(progress: Progress): void {
  const context = Context.current();
  latest.set(context, progress);
  context.heartbeat(progress);
}

/** @returns what the activity has reported last */
export const latestProgress = (context: Context): Progress | undefined => latest.get(context);

/** Keeps the heartbeat of every activity going while it runs. */
export class LivenessInterceptor implements ActivityInboundCallsInterceptor {
  async execute(
    input: ActivityExecuteInput,
    next: Next<ActivityInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    const context = Context.current();
    const timer = setInterval(() => context.heartbeat(latest.get(context)), LIVENESS_INTERVAL_MS);
    try {
      return await next(input);
    } finally {
      clearInterval(timer);
    }
  }
}
