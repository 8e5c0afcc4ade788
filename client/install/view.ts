/** Shows an install as it goes on: a line for each phase that ended, and what moves now. */
import type { Attention, PhaseState } from '../../workflows/api.ts';
import { formatBetween, formatBytes, formatDuration, withReadableBytes } from '../output/format.ts';
import { LiveLine } from '../output/live-line.ts';
import type { Output, Tone } from '../output/output.ts';
import type { RunningActivity } from './running.ts';
import type { Snapshot, WatchEvent } from './watch.ts';

const MARKS: Readonly<Record<PhaseState['state'], readonly [mark: string, tone: Tone]>> = {
  waiting: [' ', 'dim'],
  running: ['›', 'plain'],
  done: ['✔', 'good'],
  skipped: ['↷', 'warn'],
  'needs-attention': ['✘', 'bad'],
};

/** Where nobody sits at a terminal, progress is a line of its own this often. */
const PLAIN_PROGRESS_MS = 15_000;
const PHASE_COLUMN = 12;
const TIME_COLUMN = 11;

/** One line: mark, phase, how long it took, what came of it. */
export function phaseLine(output: Output, state: PhaseState): string {
  const [mark, tone] = MARKS[state.state];
  const time = state.startedAt && state.endedAt ? formatBetween(state.startedAt, state.endedAt) : '';
  const text = `${state.phase.padEnd(PHASE_COLUMN)}${time.padStart(TIME_COLUMN)}  ${withReadableBytes(state.result ?? '')}`;
  return `${output.tone(tone, mark)} ${text.trimEnd()}`;
}

/** What stands in the way of an install, and what can be done. */
export function attentionText(output: Output, machineId: string, attention: Attention): string {
  const [what, ...causes] = attention.causes;
  const skip = attention.canSkip ? ` | iguana skip ${machineId}` : '';
  return [
    `${output.tone('bad', 'needs attention')} in phase ${attention.phase} (${attention.type}): ${what}`,
    ...causes.map((cause) => `  ${output.tone('dim', 'because')} ${cause}`),
    ...contextLines(attention.context).map((line) => `  ${output.tone('dim', line)}`),
    `  ${output.tone('dim', 'remedy:')} ${attention.remedy}`,
    `  then: iguana retry ${machineId} | iguana amend ${machineId} PROFILE${skip} | iguana abort ${machineId}`,
  ].join('\n');
}

/** What would be destroyed, one line each. */
export function destroyedLines(destroyed: Snapshot['status']['destroyed']): string[] {
  return destroyed.map(({ diskId, what }) => `  ${diskId}  ${what}`);
}

/** Context of a failure, for people: lists line by line, the rest as it is. */
export function contextLines(context: unknown): string[] {
  if (typeof context !== 'object' || context === null) return [];
  return Object.entries(context).flatMap(([name, value]: [string, unknown]) => {
    if (!Array.isArray(value))
      return [`${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`];
    return [
      `${name}:`,
      ...value.map((item: unknown) => `  ${typeof item === 'string' ? item : JSON.stringify(item)}`),
    ];
  });
}

/** Draws an install on standard output, its progress on standard error. */
export class InstallView {
  readonly #output: Output;
  readonly #live = new LiveLine();
  /** Phases as they were printed last: a phase that is done again is printed again. */
  readonly #printed = new Map<string, string>();
  /** Starts of a machine that installs itself, as they were printed. */
  readonly #boots = new Set<string>();
  #lastProgress = 0;
  /** What was printed last. */
  #plain: PlainProgress | undefined;
  #snapshot: Snapshot | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows what changed. */
  show(event: WatchEvent): void {
    if (event.kind === 'unreachable') {
      this.#snapshot = undefined;
      this.pause();
      this.#output.note(`the server does not answer (${event.reason}); waiting for it`);
      return;
    }
    this.#snapshot = event.snapshot;
    for (const { bootId } of event.snapshot.status.boots ?? []) this.#showBoot(bootId);
    for (const phase of event.snapshot.status.phases) this.#showPhase(phase);
    this.#showProgress(event.snapshot);
  }

  /** Draws what moves again: time passes also where nothing else changes. */
  tick(): void {
    if (this.#snapshot && this.#output.interactive) this.#showProgress(this.#snapshot);
  }

  /** Takes away what moves, so that something else can be printed or asked. */
  pause(): void {
    this.#live.clear();
  }

  #showBoot(bootId: string): void {
    if (this.#boots.has(bootId)) return;
    const again = this.#boots.size > 0 ? ' again' : '';
    this.#boots.add(bootId);
    this.pause();
    this.#output.line(`· the machine has started from its boot image${again}`);
  }

  #showPhase(phase: PhaseState): void {
    const { state, startedAt, endedAt } = phase;
    const seen = `${state} ${startedAt} ${endedAt}`;
    if (state === 'waiting' || this.#printed.get(phase.phase) === seen) return;
    this.#printed.set(phase.phase, seen);
    if (state === 'needs-attention' || (state === 'running' && this.#output.interactive)) return;
    this.pause();
    this.#output.line(phaseLine(this.#output, phase));
  }

  #showProgress({ status, running }: Snapshot): void {
    const phase = status.phases.find(({ state }) => state === 'running');
    if (!phase || status.awaitsApproval) {
      this.pause();
      return;
    }
    const current = running.find(({ progress }) => progress) ?? running[0];
    if (this.#output.interactive) {
      this.#live.show({
        title: phase.phase.padEnd(PHASE_COLUMN),
        ...current?.progress,
        ...(phase.startedAt && { since: phase.startedAt }),
        message: messageOf(current),
      });
    } else if (current?.progress && Date.now() - this.#lastProgress > PLAIN_PROGRESS_MS) {
      this.#lastProgress = Date.now();
      this.#output.line(`    ${phase.phase}: ${plainProgress(current, this.#plain, this.#lastProgress)}`);
      this.#plain = { ...current.progress, at: this.#lastProgress };
    }
  }
}

function messageOf(activity: RunningActivity | undefined): string {
  if (!activity) return '';
  const message = withReadableBytes(activity.progress?.message ?? '');
  const parts = [activity.progress?.step ?? activity.activity, message];
  if (activity.attempt > 1) parts.push(`attempt ${activity.attempt}`);
  if (activity.lastFailure && !activity.started) parts.push(`after: ${activity.lastFailure}`);
  else if (!activity.started) parts.push('waiting for a worker');
  return parts.filter(Boolean).join(' – ');
}

type PlainProgress = Partial<NonNullable<RunningActivity['progress']>> & { readonly at: number };

/**
 * How far a step is, in a line of its own.
 * @param before what was printed last: the rate is that since then
 */
export function plainProgress(
  activity: RunningActivity,
  before: PlainProgress | undefined,
  now: number,
): string {
  const { step, doneBytes, totalBytes } = activity.progress ?? {};
  const parts: string[] = [];
  if (doneBytes !== undefined && totalBytes) {
    parts.push(`${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`);
    const gained = before && before.step === step ? doneBytes - (before.doneBytes ?? doneBytes) : 0;
    if (before && gained > 0) {
      const msPerByte = (now - before.at) / gained;
      parts.push(`${formatBytes(1000 / msPerByte)}/s`);
      parts.push(`${formatDuration((totalBytes - doneBytes) * msPerByte)} left`);
    }
  }
  return [...parts, messageOf(activity)].join(', ');
}
