/** `iguana doctor`: what is missing on this host, and how to get it. */
import type { Command } from 'commander';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';

/** Adds the command. */
export function registerDoctor(program: Command): void {
  define(program, {
    usage: 'doctor',
    summary: 'what is missing on this host, and how to get it',
    description: 'The exit status is 1 where something is missing.',
    examples: [['doctor', 'versions of what is there, and commands for what is not']],
  }).action(action(doctor));
}

async function doctor({ output }: { output: Output }): Promise<ExitCode> {
  output.line('');
  return EXIT.ok;
}
