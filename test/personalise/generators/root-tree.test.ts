/** Paths of a target never lead out of it, whatever links its image has. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applyEntries, Staging } from '../../../activities/personalise/apply.ts';
import { file } from '../../../activities/personalise/entry.ts';
import { ChangeRecord } from '../../../activities/personalise/record.ts';
import { RootTree } from '../../../activities/personalise/root-tree.ts';

let outside: string;
let tree: RootTree;

beforeAll(async () => {
  outside = await mkdtemp(join(tmpdir(), 'iguana-tree-'));
  const root = join(outside, 'root');
  await mkdir(join(root, 'real/sub'), { recursive: true });
  await mkdir(join(root, 'etc'));
  await mkdir(join(outside, 'host'));
  await symlink(join(outside, 'host'), join(root, 'absolute'));
  await symlink('../../../../../../host', join(root, 'climbing'));
  await symlink('/real', join(root, 'inside'));
  await symlink('sub/../sub', join(root, 'real/loopless'));
  await symlink('b', join(root, 'a'));
  await symlink('a', join(root, 'b'));
  await writeFile(join(root, 'file'), 'x');
  tree = new RootTree(root);
});
afterAll(async () => {
  await rm(outside, { recursive: true });
});

test.each([
  ['/real/sub/x', '/real/sub/x'],
  ['/inside/sub/x', '/real/sub/x'],
  ['/real/loopless/x', '/real/sub/x'],
  ['/climbing/x', '/host/x'],
  ['/inside', '/inside'],
  ['/../../x', '/x'],
])('%s is %s', async (path, canonical) => {
  expect(await tree.canonical(path)).toBe(canonical);
});

test('an absolute link leads to the target’s own folder of that name', async () => {
  expect(await tree.canonical('/absolute/x')).toBe(join(outside, 'host', 'x'));
  expect(tree.outside(await tree.canonical('/absolute/x'))).toBe(join(tree.folder, outside, 'host', 'x'));
});

test.each([
  ['a loop of links', '/a/x', /too many symbolic links/],
  ['a file as a folder', '/file/x', /\/file is no folder/],
])('%s is refused', async (_what, path, message) => {
  await expect(tree.canonical(path)).rejects.toThrow(message);
});

test('writing through links stays inside', async () => {
  const record = await ChangeRecord.open(tree, 'generation');
  const staging = new Staging(tree, ['/']);
  await staging.prepare();
  const wanted = new Map([
    ['/absolute/passwd', file('mine')],
    ['/climbing/passwd', file('mine')],
  ]);
  await applyEntries(tree, record, staging, wanted, () => undefined);
  await staging.clear();
  await expect(readFile(join(outside, 'host/passwd'))).rejects.toThrow('ENOENT');
  expect(await readFile(join(tree.folder, 'host/passwd'), 'utf8')).toBe('mine');
});

test('an image whose /etc is a link is refused: the record would leave the root partition', async () => {
  const root = join(outside, 'linked');
  await mkdir(root);
  await symlink('/elsewhere', join(root, 'etc'));
  await expect(ChangeRecord.open(new RootTree(root), 'generation')).rejects.toThrow(
    /through a symbolic link/,
  );
});
