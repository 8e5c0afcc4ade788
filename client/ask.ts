/** Questions to the person at the terminal. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { printable } from './output/printable.ts';

/**
 * Asks for one line. Only where {@link Output.interactive} is true.
 * @param signal ends the question
 */
export async function ask(question: string, signal: AbortSignal): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // While readline holds the terminal, Ctrl-C reaches only readline: pass it on.
    terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    return (await terminal.question(printable(question), { signal })).trim();
  } finally {
    terminal.close();
  }
}

/**
 * Asks for a value that is not shown while it is typed.
 * @throws Error where standard input ends before the line does
 */
export async function askSecretly(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(printable(question));
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: stdin, output: silent, terminal: true });
  try {
    terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    return await terminal.question('');
  } finally {
    terminal.close();
    stderr.write('\n');
  }
}
