/** `iguana status`: all installs, or one in detail. */
import type { Command } from 'commander';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { attentionText, destroyedLines, phaseLine } from '../install/view.ts';
import type { Snapshot } from '../install/watch.ts';
import type { InstallSummary } from '../library.ts';
import { formatBetween, formatBytes, formatTime, shortDigest } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';

/** Adds the command. */
export function registerStatus(program: Command): void {
  define(program, {
    usage: 'status [machine]',
    summary: 'list installs, or show one',
    description:
      'With a machine, the exit status is 3 where it needs attention and 4 where it waits for approval.',
    examples: [
      ['status', 'all installs, the latest first'],
      ['status --running', 'those that have not ended'],
      ['status rack7-node3', 'one install: phases, disk, what stands in the way'],
    ],
  })
    .option('--running', 'only installs that have not ended')
    .option('--run-id <id>', 'an earlier install of the machine')
    .action(action(status));
}

async function status(
  { output, options }: { output: Output; options: { running?: boolean; runId?: string } },
  machine: string | undefined,
): Promise<ExitCode> {
  const { Iguana } = await import('../library.ts');
  await using iguana = Iguana.connect();
  if (machine !== undefined) {
    const snapshot = await iguana.look(machine, options.runId);
    output.result(snapshot, () => detail(output, snapshot));
    return exitCodeOf(snapshot);
  }
  const installs: InstallSummary[] = [];
  for await (const summary of iguana.installs(options.running ? 'running' : 'all')) installs.push(summary);
  const { table } = await import('../output/table.ts');
  output.result(installs, () =>
    installs.length === 0
      ? 'no installs'
      : table(
          ['MACHINE', 'PHASE', 'OUTCOME', 'STARTED', 'TOOK', 'IMAGE'],
          installs.map((summary) => row(output, summary)),
        ),
  );
  return EXIT.ok;
}

function row(output: Output, summary: InstallSummary): string[] {
  const { machineId, phase, outcome, startedAt, endedAt, imageDigest } = summary;
  const stands = phase === 'needs-attention' ? output.tone('bad', phase) : phase;
  const ended = endedAt ? (outcome ?? summary.execution.toLowerCase()) : '';
  return [
    machineId,
    endedAt ? 'ended' : stands,
    ended === 'succeeded' || !ended ? ended : output.tone('bad', ended),
    formatTime(startedAt),
    formatBetween(startedAt, endedAt),
    imageDigest ? shortDigest(imageDigest) : '',
  ];
}

function exitCodeOf({ execution, status }: Snapshot): ExitCode {
  if (execution !== 'RUNNING') return EXIT.ok;
  if (status.attention) return EXIT.attention;
  return status.awaitsApproval ? EXIT.approval : EXIT.ok;
}

function detail(output: Output, snapshot: Snapshot): string {
  const { status: state, machineId, startedAt, endedAt, runId, running } = snapshot;
  const lines = [
    `${output.tone('strong', machineId)}  ${endedAt ? (state.outcome ?? snapshot.execution.toLowerCase()) : state.phase}`,
    `started   ${formatTime(startedAt)}, ${formatBetween(startedAt, endedAt)} ${endedAt ? 'in all' : 'ago'}`,
    `run       ${runId}`,
    `target    ${targetText(state.target)}`,
  ];
  if (state.diskId) lines.push(`disk      ${state.diskId}`);
  if (state.manifestDigest) lines.push(`manifest  ${state.manifestDigest}`);
  if (state.imageDigest) lines.push(`image     ${state.imageDigest}`);
  if (state.image)
    lines.push(`          ${state.image.packageCount} packages, ${formatBytes(state.image.dataBytes)}`);
  if (state.approval) lines.push(`approved  by ${state.approval.by} at ${formatTime(state.approval.at)}`);
  if (state.firstBoot) {
    lines.push(
      `booted    ${state.firstBoot.hostname} at ${formatTime(state.firstBoot.at)}, ${state.firstBoot.kernel}`,
    );
    const { failedScripts = [] } = state.firstBoot;
    if (failedScripts.length > 0)
      lines.push(
        output.tone('warn', `          first-boot scripts that failed: ${failedScripts.join(', ')}`),
      );
  }
  lines.push('', ...state.phases.map((phase) => phaseLine(output, phase)));
  for (const activity of running) {
    const message = activity.progress?.message ?? activity.progress?.step ?? '';
    lines.push(`  ${activity.activity}, attempt ${activity.attempt} ${message}`.trimEnd());
    if (activity.lastFailure) lines.push(`    the attempt before failed: ${activity.lastFailure}`);
  }
  if (state.awaitsApproval) {
    lines.push('', output.tone('warn', 'waits for approval; this would be destroyed:'));
    lines.push(...destroyedLines(state.destroyed), `then: iguana approve ${machineId}`);
  }
  if (state.attention && !endedAt) lines.push('', attentionText(output, machineId, state.attention));
  return lines.join('\n');
}

function targetText(target: Snapshot['status']['target']): string {
  switch (target.kind) {
    case 'file':
      return `disk image ${target.path} (${formatBytes(target.sizeBytes)})`;
    case 'device':
      return `disk ${target.id} of this host`;
    case 'machine':
      return 'the machine of the agent';
  }
}
