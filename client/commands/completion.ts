/** `iguana completion`: completion of commands, options and machines in the shell. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { statePaths } from '../../host/state.ts';

/** Adds the command, and the hidden one that the shell asks. Knows the commands that were added before it. */
export function registerCompletion(program: Command): void {
  const completion = tab(program, { completionCommandName: 'completion' });
  program.commands
    .find((command) => command.name() === 'completion')
    ?.summary('print the completion script of a shell')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  iguana completion bash > /etc/bash_completion.d/iguana                for everybody on this host\n' +
        '  iguana completion fish > ~/.config/fish/completions/iguana.fish       for you',
    );
  for (const { arguments: positional } of completion.commands.values()) {
    const machine = positional.get('machine');
    if (!machine) continue;
    machine.handler = (complete) => {
      for (const id of machinesWithAgent()) complete(id, 'unfinished install');
    };
  }
}

/** Machines with an install on this host. The shell waits for the answer: it is read from files, without Temporal. */
function machinesWithAgent(): string[] {
  const folder = join(statePaths().run, 'agents');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => decodeURIComponent(name.slice(0, -'.json'.length)));
}
