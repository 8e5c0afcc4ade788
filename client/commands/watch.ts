/** `iguana watch`: follow an install. */
import type { Command } from 'commander';
import type { ExitCode } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';
import { follow } from './following.ts';

/** Adds the command. */
export function registerWatch(program: Command): void {
  define(program, {
    usage: 'watch <machine>',
    summary: 'follow an install until it ends or needs somebody',
    description:
      'Ctrl-C ends the watching, not the install. With --output json: one JSON document for each change.',
    examples: [
      ['watch demo', 'follow the demo'],
      ['watch rack7-node3 --output json', 'for programs'],
    ],
  })
    .option('--run-id <id>', 'an earlier install of the machine')
    .action(action(watch));
}

async function watch(
  { output, options }: { output: Output; options: { runId?: string } },
  machine: string,
): Promise<ExitCode> {
  const { Iguana } = await import('../library.ts');
  await using iguana = Iguana.connect();
  return (await follow(output, iguana, machine, options)).exitCode;
}
