/** Consent to what is destroyed. */
import { ApplicationFailure, condition, workflowInfo } from '@temporalio/workflow';
import type { InstallState } from './install-state.ts';

/**
 * Waits for consent where the plan destroys data; who gave it and when is kept.
 * @throws ApplicationFailure `InstallTimedOut` when nobody answers
 */
export async function approve(state: InstallState): Promise<string> {
  if (state.planned.destroyed.length === 0) return 'nothing is destroyed';
  state.approval = undefined;
  const { approval } = state.input;
  if (approval !== 'ask') {
    state.approval = { ...approval, at: workflowInfo().startTime.toISOString() };
  } else {
    state.awaitsApproval = true;
    const answered = await condition(() => state.approval !== undefined, state.patienceMs);
    state.awaitsApproval = false;
    if (!answered) {
      throw ApplicationFailure.nonRetryable('nobody approved what would be destroyed', 'InstallTimedOut');
    }
  }
  return `approved by ${state.approval?.by}`;
}
