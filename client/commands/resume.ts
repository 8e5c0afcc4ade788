/** `iguana resume`: let everything unfinished go on, e.g. after a restart of this host. */
import type { Command } from 'commander';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { InstallSummary } from '../library.ts';
import { formatTime } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';
import { connectStarting, follow } from './following.ts';

/** Adds the command. */
export function registerResume(program: Command): void {
  define(program, {
    usage: 'resume [machine]',
    summary: 'let everything unfinished go on, and follow it',
    description:
      'Starts the server where it does not run: all unfinished installs go on where they stopped. Follows the machine, or\n' +
      'the only one that is unfinished.',
    examples: [
      ['resume', 'after a restart of this host'],
      ['resume --detach', 'only let them go on'],
    ],
  })
    .option('--detach', 'do not follow')
    .action(action(resume));
}

async function resume(
  { output, options }: { output: Output; options: { detach?: boolean } },
  machine: string | undefined,
): Promise<ExitCode> {
  await using iguana = await connectStarting(output);
  const unfinished: InstallSummary[] = [];
  for await (const summary of iguana.installs('running')) {
    unfinished.push(summary);
    // The request for the agent is kept in the state folder; ask again where somebody removed it.
    const { target } = await iguana.status(summary.machineId);
    await iguana.requestAgent(summary.machineId, target);
  }
  const followed = machine ?? (unfinished.length === 1 ? unfinished[0]?.machineId : undefined);
  if (options.detach || followed === undefined) {
    output.result(unfinished, () => listed(unfinished));
    return EXIT.ok;
  }
  output.line(listed(unfinished));
  return (await follow(output, iguana, followed)).exitCode;
}

function listed(installs: readonly InstallSummary[]): string {
  if (installs.length === 0) return 'nothing is unfinished';
  return [
    'these go on:',
    ...installs.map(
      ({ machineId, phase, startedAt }) => `  ${machineId}  ${phase}, begun ${formatTime(startedAt)}`,
    ),
  ].join('\n');
}
