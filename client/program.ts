/** The `iguana` command line. Commands load what they need when they run: `--help` and `status` stay quick. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { registerBoot } from './commands/boot.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerDecisions } from './commands/decisions.ts';
import { withCommonOptions } from './commands/define.ts';
import { registerDemo } from './commands/demo.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerHistory } from './commands/history.ts';
import { registerImage } from './commands/image.ts';
import { registerInstall } from './commands/install.ts';
import { registerMachine } from './commands/machine.ts';
import { registerManifest } from './commands/manifest.ts';
import { registerResume } from './commands/resume.ts';
import { registerSecret } from './commands/secret.ts';
import { registerServer } from './commands/server.ts';
import { registerStatus } from './commands/status.ts';
import { registerWatch } from './commands/watch.ts';
import { registerWorker } from './commands/worker.ts';

const EXIT_STATUSES = `
Exit status:
  0    it worked
  1    it failed; the message says why and what to do
  2    wrong options, arguments or profiles; nothing was touched
  3    an install needs attention
  4    an install waits for approval of what it destroys
  130  Ctrl-C; an install goes on`;

/** Builds the command line with all commands. */
export function buildProgram(): Command {
  const program = new Command('iguana')
    .description('Installs operating systems: durable, verifiable, resumable.')
    .version(version(), '--version', 'show the version')
    .helpCommand(false)
    .showHelpAfterError(false)
    .addHelpText('after', EXIT_STATUSES);

  withCommonOptions(program);
  program.commandsGroup('To begin:');
  registerDemo(program);
  registerInstall(program);
  registerDoctor(program);
  program.commandsGroup('Installs:');
  registerStatus(program);
  registerWatch(program);
  registerHistory(program);
  registerDecisions(program);
  registerResume(program);
  program.commandsGroup('What is installed:');
  registerManifest(program);
  registerImage(program);
  registerSecret(program);
  program.commandsGroup('Machines:');
  registerMachine(program);
  registerBoot(program);
  program.commandsGroup('Processes:');
  registerServer(program);
  registerWorker(program);
  program.commandsGroup('Shell:');
  registerCompletion(program);
  return program;
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { version: value }: { version: string } = JSON.parse(text);
  return value;
}
