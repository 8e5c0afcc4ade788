/** The list of an image, compared with a folder: what differs is named; a list that cannot be used is the image's fault. */
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { compareTree, type Difference } from '../../activities/verify/compare-tree.ts';
import { expectedFiles } from '../../activities/verify/expected-files.ts';
import { digestOf } from '../../image/digest.ts';
import { type FileEntry, readFileList } from '../../store/file-list.ts';
import { folderWith } from '../image/servers/folder.ts';
import { fileList } from './harness/content.ts';

const { uid, gid } = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const ENTRIES: readonly FileEntry[] = [
  { path: '/', type: 'directory', mode: 0o755, uid, gid, size: 0 },
  { path: '/file', type: 'file', mode: 0o640, uid, gid, size: 3, digest: digestOf('abc') },
  { path: '/link', type: 'symlink', mode: 0o777, uid, gid, size: 0, link: 'file' },
  { path: '/pipe', type: 'fifo', mode: 0o600, uid, gid, size: 0 },
];

const expectedOf = async (bytes: Buffer) =>
  await expectedFiles(readFileList(join(folderWith({ files: bytes }), 'files')), new Map());

/** A folder as the entries say, compared with others. */
async function differences(entries: readonly FileEntry[]): Promise<readonly Difference[]> {
  const folder = join(folderWith(), 'root');
  await mkdir(folder);
  await chmod(folder, 0o755);
  await writeFile(join(folder, 'file'), 'abc');
  await chmod(join(folder, 'file'), 0o640);
  await symlink('file', join(folder, 'link'));
  await execa('mkfifo', ['-m', '600', join(folder, 'pipe')]);
  const expected = await expectedOf(await fileList(entries));
  const compared = await compareTree({ folder, expected, allowed: new Set(), onFile: () => undefined });
  return compared.differences;
}

it('is right where all is as it says', async () => {
  expect(await differences(ENTRIES)).toEqual([]);
});

it.each<[string, Partial<FileEntry>, string, string]>([
  ['content', { digest: digestOf('abd') }, digestOf('abd'), digestOf('abc')],
  ['size', { size: 4 }, '4 bytes', '3 bytes'],
  ['mode', { mode: 0o644 }, 'mode 0644', 'mode 0640'],
])('another %s of a file is found', async (_, change, expected, found) => {
  const changed = ENTRIES.map((entry) => (entry.type === 'file' ? { ...entry, ...change } : entry));
  expect(await differences(changed)).toEqual([{ path: '/file', expected, found }]);
});

it('another place that a link leads to is found', async () => {
  const changed = ENTRIES.map((entry) => (entry.type === 'symlink' ? { ...entry, link: 'pipe' } : entry));
  expect(await differences(changed)).toEqual([
    { path: '/link', expected: 'link to pipe', found: 'link to file' },
  ]);
});

it.each<[string, () => Promise<Buffer>, RegExp]>([
  ['is cut off', async () => (await fileList(ENTRIES)).subarray(0, -2), /that is cut off/],
  [
    'has a path twice',
    async () => await fileList([...ENTRIES, ...ENTRIES]),
    /line 5 .*an earlier line has \//,
  ],
])('a list that %s: the image is corrupt, and nothing is compared', async (_, bytes, message) => {
  await expect(expectedOf(await bytes())).rejects.toMatchObject({
    type: 'ImageCorrupt',
    nonRetryable: true,
    message: expect.stringMatching(message),
  });
});
