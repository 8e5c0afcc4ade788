/** The timeline of an install: what happened, when, how often it was tried, what came of it, and who decided. */

/** A failure as the timeline tells it. */
export interface TimelineFailure {
  /** Name in the catalogue of failures, where it is one. */
  readonly type?: string;
  readonly message: string;
  readonly causes: readonly string[];
  readonly remedy?: string;
  readonly context?: unknown;
}

interface Moment {
  /** ISO 8601. */
  readonly at: string;
}

/** An activity: a step on the machine, in the builder, or beside them. */
export interface ActivityEntry extends Moment {
  readonly kind: 'activity';
  readonly activity: string;
  readonly state: 'scheduled' | 'running' | 'done' | 'failed' | 'timed-out' | 'cancelled';
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** How often it was tried; Temporal writes only the last try into the history. */
  readonly attempts?: number;
  /** The worker that did it: process and host. */
  readonly worker?: string;
  readonly result?: unknown;
  readonly failure?: TimelineFailure;
  /** Why the try before the last failed. */
  readonly earlierFailure?: TimelineFailure;
}

/** One thing in the timeline. */
export type TimelineEntry =
  | (Moment & { readonly kind: 'started'; readonly input: unknown })
  | (Moment & { readonly kind: 'phase'; readonly phase: string })
  | ActivityEntry
  | (Moment & {
      readonly kind: 'build';
      readonly workflowId: string;
      readonly runId?: string;
      readonly endedAt?: string;
      readonly result?: unknown;
      readonly failure?: TimelineFailure;
      readonly entries: readonly TimelineEntry[];
    })
  /** An update or a signal: what somebody, or the installed system, said. */
  | (Moment & {
      readonly kind: 'decision';
      readonly name: string;
      readonly args: unknown;
      readonly failure?: TimelineFailure;
    })
  /** The workflow's own code failed: a defect of Iguana, or a version that does not match. */
  | (Moment & { readonly kind: 'problem'; readonly failure: TimelineFailure })
  | (Moment & {
      readonly kind: 'ended';
      readonly how: 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed-out';
      readonly result?: unknown;
      readonly failure?: TimelineFailure;
    });

/** The history of one install. */
export interface Timeline {
  readonly machineId: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly entries: readonly TimelineEntry[];
}
