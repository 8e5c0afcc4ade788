/** Reads the timeline out of Temporal's history of a workflow. */
import type { WorkflowHandle } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/api.ts';
import { describeError } from '../errors.ts';
import type { ActivityEntry, TimelineEntry, TimelineFailure } from './entries.ts';

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];
type Failure = NonNullable<NonNullable<Event['workflowTaskFailedEventAttributes']>['failure']>;
type Payloads = NonNullable<NonNullable<Event['workflowExecutionStartedEventAttributes']>['input']>;
type Changes<T> = { -readonly [K in keyof T]?: T[K] };

/** Builds entries event by event; an activity's later events complete the entry of its first. */
export class TimelineReader {
  readonly #converter: LoadedDataConverter;
  readonly #entries: TimelineEntry[] = [];
  /** Index into the entries by the id of the event that began it. */
  readonly #begun = new Map<string, number>();

  constructor(converter: LoadedDataConverter) {
    this.#converter = converter;
  }

  /** Reads all events of a history. */
  async read(events: readonly Event[]): Promise<readonly TimelineEntry[]> {
    for (const event of events) await this.#readEvent(event, momentOf(event));
    return this.#entries;
  }

  async #readEvent(event: Event, at: string): Promise<void> {
    const started = event.workflowExecutionStartedEventAttributes;
    if (started) {
      this.#entries.push({ kind: 'started', at, input: await this.#first(started.input) });
      return;
    }
    const upserted = event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields;
    const phase = upserted?.[SEARCH_ATTRIBUTES.phase]?.data;
    if (phase) {
      // Search attributes are plain JSON, outside of any codec, so that the server can read them.
      this.#entries.push({
        kind: 'phase',
        at,
        phase: String(JSON.parse(Buffer.from(phase).toString('utf8'))),
      });
      return;
    }
    const failed = event.workflowTaskFailedEventAttributes?.failure;
    if (failed) this.#entries.push({ kind: 'problem', at, failure: await this.#failure(failed) });
    await this.#readActivity(event, at);
    await this.#readBuild(event, at);
    await this.#readDecision(event, at);
    await this.#readEnd(event, at);
  }

  async #readActivity(event: Event, at: string): Promise<void> {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) {
      this.#begin(event, {
        kind: 'activity',
        at,
        activity: scheduled.activityType?.name ?? '',
        state: 'scheduled',
      });
    }
    const started = event.activityTaskStartedEventAttributes;
    if (started) {
      this.#changeActivity(started.scheduledEventId, {
        state: 'running',
        startedAt: at,
        attempts: started.attempt ?? 1,
        ...(started.identity && { worker: started.identity }),
        ...(started.lastFailure && { earlierFailure: await this.#failure(started.lastFailure) }),
      });
    }
    const done = event.activityTaskCompletedEventAttributes;
    if (done) {
      const result = await this.#first(done.result);
      this.#changeActivity(done.scheduledEventId, {
        state: 'done',
        endedAt: at,
        ...(result !== undefined && { result }),
      });
    }
    for (const [attributes, state] of [
      [event.activityTaskFailedEventAttributes, 'failed'],
      [event.activityTaskTimedOutEventAttributes, 'timed-out'],
    ] as const) {
      if (!attributes) continue;
      this.#changeActivity(attributes.scheduledEventId, {
        state,
        endedAt: at,
        ...(attributes.failure && { failure: await this.#failure(attributes.failure) }),
      });
    }
    const cancelled = event.activityTaskCanceledEventAttributes;
    if (cancelled) this.#changeActivity(cancelled.scheduledEventId, { state: 'cancelled', endedAt: at });
  }

  async #readBuild(event: Event, at: string): Promise<void> {
    const initiated = event.startChildWorkflowExecutionInitiatedEventAttributes;
    if (initiated) {
      this.#begin(event, { kind: 'build', at, workflowId: initiated.workflowId ?? '', entries: [] });
    }
    const started = event.childWorkflowExecutionStartedEventAttributes;
    const runId = started?.workflowExecution?.runId;
    if (runId) this.#change('build', started.initiatedEventId, { runId });
    const done = event.childWorkflowExecutionCompletedEventAttributes;
    if (done) {
      this.#change('build', done.initiatedEventId, { endedAt: at, result: await this.#first(done.result) });
    }
    const failed = event.childWorkflowExecutionFailedEventAttributes;
    if (failed?.failure) {
      this.#change('build', failed.initiatedEventId, {
        endedAt: at,
        failure: await this.#failure(failed.failure),
      });
    }
  }

  async #readDecision(event: Event, at: string): Promise<void> {
    const accepted = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input;
    if (accepted) {
      this.#begin(event, {
        kind: 'decision',
        at,
        name: accepted.name ?? '',
        args: await this.#first(accepted.args),
      });
    }
    const answered = event.workflowExecutionUpdateCompletedEventAttributes;
    if (answered?.outcome?.failure) {
      this.#change('decision', answered.acceptedEventId, {
        failure: await this.#failure(answered.outcome.failure),
      });
    }
    const signalled = event.workflowExecutionSignaledEventAttributes;
    if (signalled) {
      this.#entries.push({
        kind: 'decision',
        at,
        name: signalled.signalName ?? '',
        args: await this.#first(signalled.input),
      });
    }
  }

  async #readEnd(event: Event, at: string): Promise<void> {
    const completed = event.workflowExecutionCompletedEventAttributes;
    if (completed) {
      this.#entries.push({
        kind: 'ended',
        at,
        how: 'completed',
        result: await this.#first(completed.result),
      });
    }
    const failure = event.workflowExecutionFailedEventAttributes?.failure;
    if (failure) {
      this.#entries.push({ kind: 'ended', at, how: 'failed', failure: await this.#failure(failure) });
    }
    if (event.workflowExecutionCanceledEventAttributes) {
      this.#entries.push({ kind: 'ended', at, how: 'cancelled' });
    }
    if (event.workflowExecutionTimedOutEventAttributes) {
      this.#entries.push({ kind: 'ended', at, how: 'timed-out' });
    }
    const terminated = event.workflowExecutionTerminatedEventAttributes;
    if (terminated) {
      const message = `terminated from outside: ${terminated.reason || 'no reason given'}`;
      this.#entries.push({ kind: 'ended', at, how: 'terminated', failure: { message, causes: [] } });
    }
  }

  #begin(event: Event, entry: TimelineEntry): void {
    this.#begun.set(String(event.eventId), this.#entries.push(entry) - 1);
  }

  #changeActivity(begunBy: unknown, changes: Changes<ActivityEntry>): void {
    this.#change('activity', begunBy, changes);
  }

  #change<K extends TimelineEntry['kind']>(
    kind: K,
    begunBy: unknown,
    changes: Changes<Extract<TimelineEntry, { kind: K }>>,
  ): void {
    const index = this.#begun.get(String(begunBy));
    const entry = index === undefined ? undefined : this.#entries[index];
    if (index === undefined || entry?.kind !== kind) return;
    this.#entries[index] = { ...entry, ...changes };
  }

  async #first(payloads: Payloads | null | undefined): Promise<unknown> {
    return (await decodeArrayFromPayloads(this.#converter, payloads?.payloads))[0];
  }

  async #failure(failure: Failure): Promise<TimelineFailure> {
    const { type, message, causes, remedy, details } = describeError(
      await decodeOptionalFailureToOptionalError(this.#converter, failure),
    );
    return {
      message,
      causes,
      ...(type && { type }),
      ...(remedy && { remedy }),
      ...(details !== undefined && { context: details }),
    };
  }
}

function momentOf(event: Event): string {
  return new Date(event.eventTime ? tsToMs(event.eventTime) : 0).toISOString();
}
