/** `iguana server keys` and `iguana server codec`, as processes. */
import { expect, it } from 'vitest';
import { codecToken } from '../../host/codec/token.ts';
import { CommandLine } from '../client/command.ts';

it('rotates, lists and forgets keys', async () => {
  const iguana = new CommandLine();
  expect(await iguana.run(['server', 'keys', 'ls'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('no keys'),
  });
  const ids: string[] = [];
  for (const args of [[], [], ['--in', '30']]) {
    const { documents } = await iguana.json(['server', 'keys', 'rotate', ...args]);
    ids.push((documents as { id: string }[])[0]?.id ?? '');
  }
  const [first = '', second = '', later] = ids;
  const listed = async () => {
    const { documents } = await iguana.json(['server', 'keys', 'ls']);
    return (documents[0] as { id: string; inUse: boolean }[]).map(({ id, inUse }) => [id, inUse]);
  };
  expect(await listed()).toEqual([
    [first, false],
    [second, true],
    [later, false],
  ]);
  expect(await iguana.run(['server', 'keys', 'rm', first])).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/can never be read again[\s\S]*--yes/),
  });
  expect(await iguana.run(['server', 'keys', 'rm', second, '--yes'])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('new payloads use it'),
  });
  expect(await iguana.run(['server', 'keys', 'rm', first, '--yes'])).toMatchObject({ status: 0 });
  expect((await listed()).map(([id]) => id)).toEqual([second, later]);
  expect((await iguana.run(['server', 'keys', 'rotate', '--in', 'soon'])).status).toBe(2);
});

it('shows the token of the codec endpoint, and replaces it', async () => {
  const iguana = new CommandLine();
  const { documents } = await iguana.json(['server', 'codec']);
  const token = await codecToken({ root: iguana.state });
  expect(documents).toEqual([{ token }]);
  const { stdout } = await iguana.run(['server', 'codec', '--new-token']);
  expect(stdout).not.toContain(token);
  expect(stdout).toContain(await codecToken({ root: iguana.state }));
});
