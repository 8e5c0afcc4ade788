/** `iguana history`: what happened, for people and auditors. */
import type { Command } from 'commander';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';

/** Adds the command. */
export function registerHistory(program: Command): void {
  define(program, {
    usage: 'history <machine>',
    summary: 'the timeline of an install: phases, attempts, digests, decisions, failures',
    description: 'Read from Temporal’s history, which nobody edits; also of installs that have ended.',
    examples: [
      ['history rack7-node3', 'the latest install of the machine'],
      ['history rack7-node3 --output json', 'everything, for an audit'],
    ],
  })
    .option('--run-id <id>', 'an earlier install; `iguana status --output json` lists the ids')
    .action(action(history));
}

async function history(
  { output, options }: { output: Output; options: { runId?: string } },
  machine: string,
): Promise<ExitCode> {
  const { Iguana } = await import('../library.ts');
  await using iguana = Iguana.connect();
  const timeline = await iguana.history(machine, options.runId);
  const { timelineText } = await import('../history/text.ts');
  output.result(timeline, () => timelineText(output, timeline));
  return EXIT.ok;
}
