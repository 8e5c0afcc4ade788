/** `iguana doctor`: what is missing on this host, and how to get it. */
import type { Command } from 'commander';
import type { Check } from '../../host/doctor.ts';
import { statePaths } from '../../host/state.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output, Tone } from '../output/output.ts';
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
  const { examineHost } = await import('../../host/doctor.ts');
  const checks = await examineHost(statePaths());
  const isMissing = checks.some(({ state }) => state === 'missing');
  output.result({ ok: !isMissing, checks }, () =>
    [
      ...checks.map((check) => checkText(output, check)),
      '',
      isMissing ? output.tone('bad', 'Something is missing.') : output.tone('good', 'Nothing is missing.'),
    ].join('\n'),
  );
  return isMissing ? EXIT.failure : EXIT.ok;
}

const MARKS: Readonly<Record<Check['state'], readonly [mark: string, tone: Tone]>> = {
  ok: ['✔', 'good'],
  warning: ['!', 'warn'],
  missing: ['✘', 'bad'],
};

const NAME_COLUMN = 18;

function checkText(output: Output, { name, state, found, remedy }: Check): string {
  const [mark, tone] = MARKS[state];
  const line = `${output.tone(tone, mark)} ${name.padEnd(NAME_COLUMN)} ${found}`;
  return remedy ? `${line}\n  ${' '.repeat(NAME_COLUMN)} ${output.tone('dim', 'remedy:')} ${remedy}` : line;
}
