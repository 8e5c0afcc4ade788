/** `iguana approve | retry | amend | skip | abort`: what a person decides about a running install. */
import type { Command } from 'commander';
import type { ExitCode } from '../exit-codes.ts';
import type { Iguana } from '../library.ts';
import type { Output } from '../output/output.ts';
import { person } from '../person.ts';
import { action, define } from './define.ts';
import { connectStarting, follow } from './following.ts';

interface DecisionOptions {
  readonly reason?: string;
  readonly watch?: boolean;
}

/** Adds the commands. */
export function registerDecisions(program: Command): void {
  withWatch(
    define(program, {
      usage: 'approve <machine>',
      summary: 'consent to what an install destroys',
      examples: [
        ['approve rack7-node3 --reason "old system, backed up"', 'kept in the history with your name'],
      ],
    }),
  )
    .option('--reason <text>', 'why; kept in the history')
    .action(
      action<DecisionOptions, [string]>((call, machine) =>
        decide(call, machine, 'approved', (iguana) =>
          iguana.approve(machine, {
            by: person(),
            ...(call.options.reason && { reason: call.options.reason }),
          }),
        ),
      ),
    );

  withWatch(
    define(program, {
      usage: 'retry <machine>',
      summary: 'try the phase that needs attention again',
      examples: [['retry rack7-node3 --watch', 'and follow what comes of it']],
    }),
  ).action(
    action<DecisionOptions, [string]>((call, machine) =>
      decide(call, machine, 'retrying', (iguana) => iguana.retry(machine, { by: person() })),
    ),
  );

  withWatch(
    define(program, {
      usage: 'amend <machine> <profile>',
      summary: 'correct the profile of an install that needs attention',
      description:
        'The profile replaces the layer of the same file name, else it is added on top. Only what depends on the change\n' +
        'is done again. --layer names the layer to replace where the file has another name.',
      examples: [['amend rack7-node3 site.yaml', 'with the corrected site.yaml']],
    }),
  )
    .option('--layer <name>', 'the layer to replace')
    .action(action<DecisionOptions & { layer?: string }, [string, string]>(amend));

  withWatch(
    define(program, {
      usage: 'skip <machine>',
      summary: 'go on without the phase that needs attention, where that is safe',
      examples: [
        ['skip rack7-node3 --reason "booted by hand"', 'e.g. after a first boot that could not report'],
      ],
    }),
  )
    .requiredOption('--reason <text>', 'why; kept in the history')
    .action(
      action<DecisionOptions, [string]>((call, machine) =>
        decide(call, machine, 'skipped', (iguana) =>
          iguana.skip(machine, { by: person(), reason: call.options.reason ?? '' }),
        ),
      ),
    );

  define(program, {
    usage: 'abort <machine>',
    summary: 'end an install; it leaves nothing mounted or running',
    description: 'The disk stays as far as it was written. Waits until everything is cleaned up.',
    examples: [['abort rack7-node3 --reason "wrong machine"', 'the reason is kept in the history']],
  })
    .option('--reason <text>', 'why; kept in the history', 'no reason given')
    .action(action<DecisionOptions, [string]>(abort));
}

function withWatch(command: Command): Command {
  return command.option('-w, --watch', 'follow the install afterwards');
}

async function decide(
  { output, options }: { output: Output; options: DecisionOptions },
  machine: string,
  done: string,
  send: (iguana: Iguana) => Promise<void>,
): Promise<ExitCode | undefined> {
  await using iguana = await connectStarting(output);
  await send(iguana);
  if (!options.watch) {
    output.result(
      { machineId: machine, decision: done },
      () => `${machine}: ${done} · iguana watch ${machine}`,
    );
    return undefined;
  }
  return (await follow(output, iguana, machine)).exitCode;
}

async function amend(
  call: { output: Output; options: DecisionOptions & { layer?: string } },
  machine: string,
  profile: string,
): Promise<ExitCode | undefined> {
  const { readLayers } = await import('../install/layers.ts');
  const [layer] = await readLayers([profile]);
  if (!layer) return undefined;
  const name = call.options.layer ?? layer.name;
  return decide(call, machine, `amended with ${name}`, (iguana) =>
    iguana.amend(machine, { by: person(), layer: { ...layer, name } }),
  );
}

async function abort(
  { output, options }: { output: Output; options: DecisionOptions },
  machine: string,
): Promise<ExitCode | undefined> {
  await using iguana = await connectStarting(output);
  await iguana.abort(machine, { by: person(), reason: options.reason ?? '' });
  let outcome: string | undefined;
  for await (const event of iguana.watch(machine)) {
    if (event.kind === 'snapshot') outcome = event.snapshot.status.outcome;
  }
  output.result(
    { machineId: machine, outcome },
    () => `${machine}: ${outcome ?? 'ended'}, nothing left behind`,
  );
  return undefined;
}
