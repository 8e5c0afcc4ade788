/** Where a command writes: results to stdout, notes and progress to stderr; text for people or JSON for programs. */
import { styleText } from 'node:util';
import type { DescribedError } from '../errors.ts';
import { printable } from './printable.ts';

/** Colours by meaning, so that a theme changes in one place. */
export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong' | 'plain';

const STYLES = {
  good: 'green',
  bad: 'red',
  warn: 'yellow',
  dim: 'dim',
  strong: 'bold',
} as const;

/** What every command may say about its output. */
export interface OutputOptions {
  readonly output?: 'text' | 'json';
  readonly verbose?: boolean;
}

/** Writes what a command has to say. */
export class Output {
  readonly format: 'text' | 'json';
  readonly verbose: boolean;

  constructor(options: OutputOptions = {}) {
    this.format = options.output ?? 'text';
    this.verbose = options.verbose ?? false;
  }

  /** True where a person sits at a terminal: progress bars and questions make sense. */
  get interactive(): boolean {
    return this.format === 'text' && Boolean(process.stdin.isTTY) && Boolean(process.stderr.isTTY);
  }

  /** Colours a text where stdout is a terminal and nothing (NO_COLOR) speaks against it. */
  tone(tone: Tone, text: string): string {
    return tone === 'plain' ? text : styleText(STYLES[tone], text, { stream: process.stdout });
  }

  /** A line for people; nothing in JSON. */
  line(text = ''): void {
    if (this.format === 'text') process.stdout.write(`${printable(text)}\n`);
  }

  /** One JSON document on one line; nothing in text. */
  json(value: unknown): void {
    if (this.format === 'json') process.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A result in both forms. */
  result(value: unknown, text: () => string): void {
    if (this.format === 'json') this.json(value);
    else this.line(text());
  }

  /** Something worth knowing that is not the result: to stderr, also beside JSON. */
  note(text: string): void {
    process.stderr.write(`${printable(styleText('dim', text, { stream: process.stderr }))}\n`);
  }

  /** An error: what, why, remedy. In JSON it goes to stdout, where the program that asked for JSON reads. */
  error(described: DescribedError, original?: unknown): void {
    if (this.format === 'json') {
      this.json({ error: described });
      return;
    }
    const style = (format: 'red' | 'dim', text: string): string =>
      styleText(format, text, { stream: process.stderr });
    const lines = [`${style('red', 'error:')} ${described.message}`];
    for (const cause of described.causes) lines.push(`  ${style('dim', 'because')} ${cause}`);
    if (described.remedy) lines.push(`  ${style('dim', 'remedy:')} ${described.remedy}`);
    if (this.verbose && original instanceof Error && original.stack) lines.push(style('dim', original.stack));
    process.stderr.write(`${printable(lines.join('\n'))}\n`);
  }
}
