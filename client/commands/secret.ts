/** `iguana secret`: values that profiles refer to by name. */
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { listSecrets, removeSecret, storeSecret } from '../../host/secrets.ts';
import { statePaths } from '../../host/state.ts';
import { askSecretly } from '../ask.ts';
import { CommandError, usageError } from '../errors.ts';
import type { Output } from '../output/output.ts';
import { action, define, group } from './define.ts';

/** Adds the commands. */
export function registerSecret(program: Command): void {
  const secret = group(program, 'secret', 'keep values that profiles refer to by name, e.g. password hashes');
  define(secret, {
    usage: 'set <name>',
    summary: 'store a value, read from standard input or asked for',
    description: 'Never given as an argument: everybody on the host can read the arguments of a process.',
    examples: [
      ['secret set root-password', 'asks for it'],
      ['secret set root-password < hash.txt', 'a final line break is not part of the value'],
    ],
  }).action(action(setSecret));
  define(secret, { usage: 'ls', summary: 'list the names' }).action(
    action(async ({ output }) => {
      const names = await listSecrets(statePaths());
      output.result(names, () => (names.length > 0 ? names.join('\n') : 'no secrets'));
      return undefined;
    }),
  );
  define(secret, { usage: 'rm <name>', summary: 'forget a value' }).action(
    action(async ({ output }, name: string) => {
      const removed = await checked(name, () => removeSecret(statePaths(), name));
      if (!removed) {
        throw new CommandError(`removing secret ${name}: none is stored under this name`, {
          remedy: '`iguana secret ls` lists the names.',
        });
      }
      output.result({ removed: name }, () => `removed ${name}`);
      return undefined;
    }),
  );
}

async function setSecret({ output }: { output: Output }, name: string): Promise<undefined> {
  const given = process.stdin.isTTY ? await askSecretly(`Value of ${name}: `) : await text(process.stdin);
  const value = given.replace(/\r?\n$/, '');
  if (value === '') throw usageError(`storing secret ${name}: the value is empty`);
  await checked(name, () => storeSecret(statePaths(), name, value));
  output.result({ stored: name }, () => `stored ${name}`);
}

async function checked<T>(name: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof RangeError) {
      throw usageError(`the name ${JSON.stringify(name)} is not allowed`, {
        remedy: 'A name has a-z, 0-9, . _ - and at most 63 characters, and begins with a letter or digit.',
      });
    }
    throw error;
  }
}
