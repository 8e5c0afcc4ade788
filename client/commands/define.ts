/** What all commands share: their common options, help with examples, and how an action ends. */
import { Command, Option } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { Output, type OutputOptions } from '../output/output.ts';

/** A command in words. */
export interface CommandSpec {
  /** As commander takes it, e.g. `install <profile...>`. */
  readonly usage: string;
  readonly summary: string;
  /** More than one line, shown in the command's own help. */
  readonly description?: string;
  /** Command lines without `iguana`, each with what it does. */
  readonly examples?: readonly (readonly [line: string, does: string])[];
}

/** Adds a command with the options that every command has. */
export function define(parent: Command, spec: CommandSpec): Command {
  const command = parent.command(spec.usage).summary(spec.summary).description(spec.summary);
  withCommonOptions(command);
  if (spec.description) command.addHelpText('after', `\n${spec.description}`);
  const examples = spec.examples ?? [];
  if (examples.length > 0) {
    const width = Math.max(...examples.map(([line]) => line.length));
    const lines = examples.map(([line, does]) => `  iguana ${line.padEnd(width)}  ${does}`);
    command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
  }
  return command;
}

/** Adds the options that every command has; they may stand before the command's name too. */
export function withCommonOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--output <format>', 'text for people, json for programs').choices(['text', 'json']),
    )
    .option('--verbose', 'show where in the program an error arose');
}

/** Adds a command that only groups others. */
export function group(parent: Command, name: string, summary: string): Command {
  return parent.command(name).summary(summary).description(summary).helpCommand(false);
}

/** What an action gets. */
export interface Call<Options> {
  readonly output: Output;
  readonly options: Options;
}

/** The positional arguments of a command, in order: one, none, or several. */
export type Positional = string | readonly string[] | undefined;

/**
 * Makes commander's action of ours.
 * @param run answers the exit status; nothing means {@link EXIT.ok}
 */
export function action<Options extends object, const Args extends readonly Positional[] = []>(
  run: (call: Call<Options>, ...args: Args) => Promise<number | undefined>,
): (...received: unknown[]) => Promise<void> {
  return async (...received) => {
    // Commander passes the positional arguments, then the options, then the command, which knows its parents' too.
    const command = received.at(-1);
    if (!(command instanceof Command)) throw new TypeError('an action was called without its command');
    const options = command.optsWithGlobals<Options & OutputOptions>();
    const args = received.slice(0, -2) as unknown as Args;
    process.exitCode = (await run({ output: new Output(options), options }, ...args)) ?? EXIT.ok;
  };
}
