/** The `iguana` command line. Only the command that is given is loaded, and it loads what it needs when it runs. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { withCommonOptions } from './commands/define.ts';

const EXIT_STATUSES = `
Exit status:
  0    it worked
  1    it failed; the message says why and what to do
  2    wrong options, arguments or profiles; nothing was touched
  3    an install needs attention
  4    an install waits for approval of what it destroys
  130  Ctrl-C; an install goes on`;

/** Who adds which commands to the program. */
interface Registration {
  readonly names: readonly string[];
  load(): Promise<(program: Command) => void>;
}

/** All commands in the order of the help, under its headings; `completion` knows those before it. */
const COMMANDS: Readonly<Record<string, readonly Registration[]>> = {
  'To begin:': [
    { names: ['demo'], load: async () => (await import('./commands/demo.ts')).registerDemo },
    { names: ['install'], load: async () => (await import('./commands/install.ts')).registerInstall },
    { names: ['doctor'], load: async () => (await import('./commands/doctor.ts')).registerDoctor },
  ],
  'Installs:': [
    { names: ['status'], load: async () => (await import('./commands/status.ts')).registerStatus },
    { names: ['watch'], load: async () => (await import('./commands/watch.ts')).registerWatch },
    { names: ['history'], load: async () => (await import('./commands/history.ts')).registerHistory },
    {
      names: ['approve', 'retry', 'amend', 'skip', 'abort'],
      load: async () => (await import('./commands/decisions.ts')).registerDecisions,
    },
    { names: ['resume'], load: async () => (await import('./commands/resume.ts')).registerResume },
  ],
  'What is installed:': [
    { names: ['manifest'], load: async () => (await import('./commands/manifest.ts')).registerManifest },
    { names: ['image'], load: async () => (await import('./commands/image.ts')).registerImage },
    { names: ['secret'], load: async () => (await import('./commands/secret.ts')).registerSecret },
  ],
  'Machines:': [
    { names: ['machine'], load: async () => (await import('./commands/machine.ts')).registerMachine },
    { names: ['boot'], load: async () => (await import('./commands/boot.ts')).registerBoot },
  ],
  'Processes:': [
    { names: ['server'], load: async () => (await import('./commands/server.ts')).registerServer },
    { names: ['worker'], load: async () => (await import('./commands/worker.ts')).registerWorker },
  ],
  'Shell:': [
    {
      // It completes all others.
      names: [],
      load: async () => (await import('./commands/completion.ts')).registerCompletion,
    },
  ],
};

/**
 * Builds the command line.
 * @param word the command that will run: the others are left out. All are there where it is none, or one that needs the others
 */
export async function buildProgram(word?: string): Promise<Command> {
  const program = new Command('iguana')
    .description('Installs operating systems: durable, verifiable, resumable.')
    .version(version(), '--version', 'show the version')
    .helpCommand(false)
    .showHelpAfterError(false)
    .addHelpText('after', EXIT_STATUSES);
  withCommonOptions(program);
  const chosen = registrationOf(word);
  for (const [heading, registrations] of Object.entries(COMMANDS)) {
    program.commandsGroup(heading);
    for (const registration of registrations) {
      if (!chosen || registration === chosen) (await registration.load())(program);
    }
  }
  return program;
}

const registrationOf = (word: string | undefined): Registration | undefined =>
  Object.values(COMMANDS)
    .flat()
    .find(({ names }) => names.some((name) => name === word));

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { version: value }: { version: string } = JSON.parse(text);
  return value;
}
