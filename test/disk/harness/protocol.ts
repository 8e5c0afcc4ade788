/** What the tests and the step server in the agent container say to each other, one JSON document a line. */
import type { AgentActivities, Progress } from '../../../activities/contract.ts';

export type Request =
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly activity: keyof AgentActivities;
      readonly input: unknown;
      /** The server does nothing more after this heartbeat of the step, counted from 1: it waits to be killed. */
      readonly stopAtHeartbeat?: number;
    }
  | { readonly kind: 'shell'; readonly id: number; readonly script: string }
  | { readonly kind: 'cancel'; readonly id: number };

export type Answer =
  | { readonly id: number; readonly kind: 'heartbeat'; readonly progress: Progress }
  | { readonly id: number; readonly kind: 'result'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'failure'; readonly failure: StepFailure };

/** A failure as an activity threw it. */
export interface StepFailure {
  readonly type: string;
  readonly message: string;
  readonly nonRetryable: boolean;
  readonly details: unknown;
}
