/** The `iguana` command: runs it, and shows how it ended. */
import { type Command, CommanderError } from 'commander';
import { describeError, usageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { Output } from './output/output.ts';
import { buildProgram } from './program.ts';

// `iguana history M | head` closes the pipe early: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.ok);
});

const args = process.argv.slice(2);
// Options may stand before the command; one with a value only makes it unknown here, and all commands are loaded.
const program = await buildProgram(args.find((word) => !word.startsWith('-')));
everyCommand(program, (command) => {
  // Errors are thrown and shown below, in the form that was asked for, and with our exit status.
  command.exitOverride().configureOutput({ outputError: () => undefined });
});
try {
  if (args.length === 0) program.outputHelp();
  else await program.parseAsync(args, { from: 'user' });
} catch (error) {
  fail(error);
}

function fail(error: unknown): void {
  if (error instanceof CommanderError && error.exitCode === 0) return;
  const isUsage = error instanceof CommanderError;
  const shown = isUsage ? usageOf(error) : error;
  const described = describeError(shown);
  // The options may be what was wrong, so the form is taken from the arguments themselves.
  const asked = args.includes('--output=json') || args[args.indexOf('--output') + 1] === 'json';
  new Output({ output: asked ? 'json' : 'text', verbose: args.includes('--verbose') }).error(
    described,
    error,
  );
  process.exitCode = described.exitCode;
}

function usageOf(error: CommanderError): Error {
  if (error.code === 'commander.help') {
    return usageError('a subcommand is missing', { remedy: 'The help above lists them.' });
  }
  const words = args.filter((word) => !word.startsWith('-'));
  const command = program.commands.find((candidate) => candidate.name() === words[0]);
  const name = ['iguana', command?.name()].filter(Boolean).join(' ');
  return usageError(error.message.replace(/^error: /, '').replaceAll('\n', ' '), {
    remedy: `\`${name} --help\` shows what is possible.`,
  });
}

function everyCommand(command: Command, apply: (command: Command) => void): void {
  apply(command);
  for (const child of command.commands) everyCommand(child, apply);
}
