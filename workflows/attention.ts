/** Turns a failure into what a person is shown. */
import { ApplicationFailure, rootCause, TemporalFailure } from '@temporalio/workflow';
import type { FailureDetails } from '../activities/failures.ts';
import type { Attention, Phase } from './api.ts';

const WITHOUT_REMEDY = 'Read the causes, mend what they name, then `iguana retry`.';

/** The innermost failure that the catalogue of failures made: it knows the remedy. */
function catalogued(error: unknown): ApplicationFailure | undefined {
  let found: ApplicationFailure | undefined;
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof ApplicationFailure && isDetails(at.details?.[0])) found ??= at;
  }
  return found;
}

function isDetails(value: unknown): value is FailureDetails {
  return typeof value === 'object' && value !== null && 'remedy' in value;
}

/** The messages of a failure and its causes, outermost first, without Temporal's own wrappers. */
function causes(error: unknown): string[] {
  const messages: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const isWrapper =
      at instanceof TemporalFailure && !(at instanceof ApplicationFailure) && at.cause !== undefined;
    if (!isWrapper && at.message !== messages.at(-1)) messages.push(at.message);
  }
  return messages.length > 0 ? messages : [rootCause(error) ?? String(error)];
}

/**
 * Describes why an install cannot go on.
 * @param since ISO 8601
 */
export function describeAttention(phase: Phase, error: unknown, canSkip: boolean, since: string): Attention {
  const failure = catalogued(error);
  const details = failure?.details?.[0];
  return {
    phase,
    type: failure?.type ?? 'Unexpected',
    causes: causes(error),
    remedy: isDetails(details) ? details.remedy : WITHOUT_REMEDY,
    ...(isDetails(details) && details.context && { context: details.context }),
    canSkip,
    since,
  };
}
