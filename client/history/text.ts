/** The timeline in words. */
import { contextLines } from '../install/view.ts';
import { formatBetween, formatBytes, formatTime } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { ActivityEntry, Timeline, TimelineEntry, TimelineFailure } from './entries.ts';

/** Signals and updates by which machines speak; the others are people's. */
const MACHINE_SAID: Readonly<Record<string, string>> = {
  reportFirstBoot: 'first boot reported',
  machineStarted: 'the machine has started from its boot image',
  imageBuilt: 'image built by another install',
  join: 'another install waits for this image',
  leave: 'an install waits no longer for this image',
};

const INDENT = '    ';

/** The whole timeline as text, phase by phase. */
export function timelineText(output: Output, timeline: Timeline): string {
  const { machineId, workflowId, runId, startedAt, endedAt, entries } = timeline;
  const header = [
    `${output.tone('strong', machineId)}  ${workflowId}`,
    `run ${runId}`,
    `${formatTime(startedAt)} – ${endedAt ? `${formatTime(endedAt)}, ${formatBetween(startedAt, endedAt)}` : 'not ended'}`,
    '',
  ];
  const phases = new PhaseTimes(entries, endedAt);
  return [...header, ...entries.flatMap((entry) => entryLines(output, entry, phases))].join('\n');
}

/** How long each phase took: until the next begins. */
class PhaseTimes {
  readonly #ends = new Map<TimelineEntry, string | undefined>();

  constructor(entries: readonly TimelineEntry[], endedAt: string | undefined) {
    let end = endedAt;
    for (const entry of entries.toReversed()) {
      if (entry.kind !== 'phase') continue;
      this.#ends.set(entry, end);
      end = entry.at;
    }
  }

  of(entry: TimelineEntry): string {
    const end = this.#ends.get(entry);
    return end ? formatBetween(entry.at, end) : '';
  }
}

function entryLines(output: Output, entry: TimelineEntry, phases: PhaseTimes): string[] {
  const at = output.tone('dim', formatTime(entry.at));
  switch (entry.kind) {
    case 'started':
      return [`${at}  started`, ...startedLines(entry.input).map((line) => INDENT + line)];
    case 'phase': {
      const tone = entry.phase === 'needs-attention' ? 'bad' : 'strong';
      return entry.phase === 'ended'
        ? []
        : [`${at}  ${output.tone(tone, entry.phase.padEnd(16))}${phases.of(entry)}`];
    }
    case 'activity':
      return activityLines(output, entry).map((line) => INDENT + line);
    case 'build': {
      const took = entry.endedAt ? ` – ${formatBetween(entry.at, entry.endedAt)}` : '';
      return [
        `build ${entry.workflowId}${took}`,
        ...entry.entries
          .filter(({ kind }) => kind === 'activity' || kind === 'problem')
          .flatMap((inner) => entryLines(output, inner, phases)),
        ...failureLines(output, entry.failure),
      ].map((line) => INDENT + line);
    }
    case 'decision':
      return [`${at}  ${decisionText(output, entry)}`, ...failureLines(output, entry.failure)];
    case 'problem':
      return [
        `${at}  ${output.tone('bad', 'the workflow itself failed, and is tried again')}`,
        ...failureLines(output, entry.failure),
      ];
    case 'ended':
      return [`${at}  ${endText(output, entry)}`, ...failureLines(output, entry.failure)];
  }
}

function startedLines(input: unknown): string[] {
  if (!isRecord(input)) return [];
  const lines: string[] = [];
  const { target, layers, approval, batch } = input;
  if (isRecord(target)) lines.push(`target ${Object.values(target).map(String).join(' ')}`);
  if (Array.isArray(layers)) {
    for (const layer of layers)
      if (isRecord(layer)) lines.push(`layer ${String(layer.name)} ${String(layer.digest)}`);
  }
  if (isRecord(approval)) {
    lines.push(`destroying data approved beforehand by ${String(approval.by)} (${String(approval.reason)})`);
  }
  if (typeof batch === 'string') lines.push(`batch ${batch}`);
  return lines;
}

function activityLines(output: Output, entry: ActivityEntry): string[] {
  const { activity, state, startedAt, endedAt, attempts = 0, worker, at } = entry;
  const took = startedAt && endedAt ? formatBetween(startedAt, endedAt) : '';
  const waited =
    startedAt && Date.parse(startedAt) - Date.parse(at) > 5000
      ? `waited ${formatBetween(at, startedAt)}`
      : '';
  const tries = attempts > 1 ? `attempt ${attempts}` : '';
  const tone = state === 'failed' || state === 'timed-out' ? 'bad' : 'plain';
  const title = [
    activity,
    state === 'done' ? '' : output.tone(tone, state),
    took,
    tries,
    waited,
    worker && `by ${worker}`,
  ];
  return [
    title.filter(Boolean).join('  '),
    ...resultLines(entry.result).map((line) => INDENT + line),
    ...(attempts > 1 && entry.earlierFailure
      ? [
          `${INDENT}the attempt before: ${[entry.earlierFailure.message, ...entry.earlierFailure.causes].join(': ')}`,
        ]
      : []),
    ...failureLines(output, entry.failure),
  ];
}

/** Where an image came from, and who vouched for it. */
function originLines({ reference, signer }: Readonly<Record<string, unknown>>): string[] {
  const signed = isRecord(signer)
    ? `signed by ${String(signer.keyId)}${signer.identity ? ` as ${String(signer.identity)}` : ''}`
    : 'no signature was demanded';
  return [`from ${String(reference)}`, signed];
}

/** What an auditor looks for in a result: bytes, digests, counts; the rest is in the JSON. */
function resultLines(result: unknown): string[] {
  if (!isRecord(result)) return [];
  return Object.entries(result).flatMap(([name, value]) => {
    if (typeof value === 'number' && /bytes$/i.test(name))
      return [`${name} ${value} (${formatBytes(value)})`];
    if (typeof value === 'number' || typeof value === 'boolean') return [`${name} ${value}`];
    if (typeof value === 'string' && value.length <= 200) return [`${name} ${value}`];
    if (name === 'origin' && isRecord(value)) return originLines(value);
    if (name === 'destroyed' && Array.isArray(value))
      return value.map((item) => `destroys ${JSON.stringify(item)}`);
    return [];
  });
}

function failureLines(output: Output, failure: TimelineFailure | undefined): string[] {
  if (!failure) return [];
  return [
    `${output.tone('bad', failure.type ?? 'failed')}: ${failure.message}`,
    ...failure.causes.map((cause) => `  because ${cause}`),
    ...contextLines(failure.context).map((line) => `  ${line}`),
    ...(failure.remedy ? [`  remedy: ${failure.remedy}`] : []),
  ].map((line) => INDENT + line);
}

function decisionText(output: Output, { name, args }: Extract<TimelineEntry, { kind: 'decision' }>): string {
  const said = MACHINE_SAID[name];
  const { by, reason, layer, report, imageDigest, bootId, refused } = isRecord(args) ? args : {};
  const details = [
    typeof by === 'string' && `by ${by}`,
    typeof reason === 'string' && `(${reason})`,
    isRecord(layer) && `layer ${String(layer.name)} ${String(layer.digest)}`,
    typeof imageDigest === 'string' && imageDigest,
    typeof bootId === 'string' && `boot ${bootId}`,
    Array.isArray(refused) && refused.length > 0 && `after refusing ${refused.map(String).join('; ')}`,
    isRecord(report) && `${String(report.hostname)}, ${String(report.kernel)}, boot ${String(report.bootId)}`,
  ];
  return [output.tone('strong', said ?? name), ...details.filter((detail) => detail !== false)].join(' ');
}

function endText(output: Output, entry: Extract<TimelineEntry, { kind: 'ended' }>): string {
  if (entry.how === 'completed') return output.tone('good', 'succeeded');
  return output.tone('bad', entry.how);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
