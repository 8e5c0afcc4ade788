/** `iguana manifest`: check profiles, and see what they come to, without installing. */
import { type Command, Option } from 'commander';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { counted } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { action, define, group } from './define.ts';

interface PlanOptions {
  readonly facts?: string;
  readonly disk?: string;
  readonly size?: string;
  readonly firmware: 'uefi' | 'bios';
}

/** Adds the commands. */
export function registerManifest(program: Command): void {
  const manifest = group(
    program,
    'manifest',
    'check profiles, and see what they come to, without installing',
  );
  define(manifest, {
    usage: 'validate <profile...>',
    summary: 'find every mistake in profiles, each for itself',
    description:
      'Exit status 2 where there are mistakes. `iguana manifest plan` checks what they come to together.',
    examples: [
      ['manifest validate site.yaml web.yaml', 'file, line, column, what was found, what is allowed'],
    ],
  }).action(action(validate));
  define(manifest, {
    usage: 'plan <profile...>',
    summary: 'make the manifest of profiles and a machine’s facts; nothing is touched',
    description:
      'Without --facts the machine is one with a single disk image, --disk and --size, as `iguana install` would make it.',
    examples: [
      ['manifest plan site.yaml web.yaml --size 16G', 'for a new disk image'],
      ['manifest plan site.yaml --facts facts.json', 'for a machine that was probed'],
    ],
  })
    .option('--facts <file>', 'facts of a machine, as JSON or YAML')
    .option('--disk <file>', 'path that the disk image would have; default disk.img')
    .option('--size <size>', 'size of a new disk image; default 8G')
    .addOption(
      new Option('--firmware <type>', 'firmware to assume without --facts')
        .choices(['uefi', 'bios'])
        .default('uefi'),
    )
    .action(action(plan));
  define(manifest, {
    usage: 'schema [document]',
    summary: 'print the JSON Schema of a document: profile (default), manifest or facts',
    examples: [['manifest schema profile > profile.schema.json', 'for editors: completion and checks']],
  }).action(action(schema));
  define(manifest, {
    usage: 'show <machine>',
    summary: 'print the manifest that an install is made from',
    examples: [['manifest show rack7-node3 --output json', 'e.g. to compare it with another']],
  })
    .option('--facts', 'the facts of the machine instead')
    .option('--run-id <id>', 'an earlier install of the machine')
    .action(action(show));
}

async function validate({ output }: { output: Output }, profiles: readonly string[]): Promise<ExitCode> {
  const { checkProfiles, mistakesError } = await import('../install/layers.ts');
  const mistakes = await checkProfiles(profiles);
  if (mistakes.length > 0) throw mistakesError(mistakes);
  output.result({ valid: true, profiles }, () => `${counted(profiles.length, 'profile')} without mistakes`);
  return EXIT.ok;
}

async function plan(
  { output, options }: { output: Output; options: PlanOptions },
  profiles: readonly string[],
): Promise<ExitCode> {
  const { planLocally } = await import('../install/plan.ts');
  const planned = await planLocally(profiles, options);
  const { stringify } = await import('yaml');
  output.result(planned, () => {
    const destroyed = planned.destroyed.map(({ diskId, what }) => `# destroys ${diskId}: ${what}\n`).join('');
    return `# manifest ${planned.manifestDigest}\n${destroyed}${stringify(planned.manifest)}`.trimEnd();
  });
  return EXIT.ok;
}

async function schema({ output }: { output: Output }, document = 'profile'): Promise<ExitCode> {
  const { DOCUMENTS, jsonSchema } = await import('../../manifest/json-schema.ts');
  const name = DOCUMENTS.find((candidate) => candidate === document);
  if (!name) {
    throw usageError(`there is no document called ${JSON.stringify(document)}`, {
      remedy: `It is one of ${DOCUMENTS.join(', ')}.`,
    });
  }
  const found = jsonSchema(name);
  output.result(found, () => JSON.stringify(found, null, 2));
  return EXIT.ok;
}

async function show(
  { output, options }: { output: Output; options: { facts?: boolean; runId?: string } },
  machine: string,
): Promise<ExitCode> {
  const [{ Iguana }, { stringify }] = await Promise.all([import('../library.ts'), import('yaml')]);
  await using iguana = Iguana.connect();
  const document = options.facts
    ? await iguana.facts(machine, options.runId)
    : await iguana.manifest(machine, options.runId);
  output.result(document, () => stringify(document).trimEnd());
  return EXIT.ok;
}
