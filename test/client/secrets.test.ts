import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CommandLine } from './command.ts';

it('keeps a secret from standard input, readable by its owner only', async () => {
  const iguana = new CommandLine();
  await expect(iguana.run(['secret', 'set', 'root-pw'], { input: '$y$abc\n' })).resolves.toMatchObject({
    status: 0,
    stdout: 'stored root-pw',
  });
  const path = join(iguana.state, 'secrets/root-pw');
  expect(readFileSync(path, 'utf8')).toBe('$y$abc');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await expect(iguana.json(['secret', 'ls'])).resolves.toMatchObject({ documents: [['root-pw']] });
  await expect(iguana.run(['secret', 'rm', 'root-pw'])).resolves.toMatchObject({ status: 0 });
  await expect(iguana.run(['secret', 'rm', 'root-pw'])).resolves.toMatchObject({ status: 1 });
});

it.each([
  ['a name that would leave the folder', '../x', 'value'],
  ['an empty value', 'x', '\n'],
])('refuses %s', async (_what, name, input) => {
  await expect(new CommandLine().run(['secret', 'set', name], { input })).resolves.toMatchObject({
    status: 2,
  });
});
