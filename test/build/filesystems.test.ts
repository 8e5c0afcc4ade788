/** Images whose root is not ext4: whole, and growing as they will on the machine. */
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readFileList } from '../../store/file-list.ts';
import { ImageStore } from '../../store/store.ts';
import { type Builder, imageOf, makeBuilder } from './harness/images.ts';
import { leftovers } from './harness/leftovers.ts';
import { rootFile } from './harness/root-file.ts';

// A build takes half a minute, and many times that where the machine is busy: a limit for what hangs.
vi.setConfig({ testTimeout: 1_800_000 });

let builder: Builder;
beforeAll(async () => {
  builder = await makeBuilder();
});
afterAll(() => builder.remove());

it.each([
  ['xfs', ['xfs_repair', '-n'], (at: string) => ['xfs_growfs', '-d', at]],
  ['btrfs', ['btrfs', 'check', '--readonly'], (at: string) => ['btrfs', 'filesystem', 'resize', 'max', at]],
] as const)('makes %s that holds the same files and grows', async (rootFilesystem, check, grow) => {
  const image = await imageOf({ rootFilesystem });
  const ref = await builder.build(image);
  expect(await leftovers(builder.paths)).toEqual([]);
  const store = new ImageStore(builder.paths.store);
  const record = await store.find(ref.imageDigest);
  if (!record) throw new Error('the store does not find what was built');
  const { folder, path: copy } = await rootFile(store, record);
  const at = join(folder, 'mnt');
  try {
    await execa(check[0], [...check.slice(1), copy]);
    await execa('truncate', ['--size', '20G', copy]);
    await execa('mkdir', [at]);
    await execa('mount', ['-t', rootFilesystem, '-o', 'loop', copy, at]);
    try {
      const [tool = '', ...args] = grow(at);
      await execa(tool, args);
      const { stdout } = await execa('df', ['--output=size', '--block-size=1G', at]);
      expect(Number(stdout.split('\n')[1])).toBeGreaterThanOrEqual(19);
      for await (const { path, type, mode, uid, gid, size } of readFileList(
        store.blobPath(record.files.digest),
      )) {
        if (type !== 'file' && type !== 'directory') continue;
        const found = await stat(join(at, path));
        expect([path, found.mode & 0o7777, found.uid, found.gid]).toEqual([path, mode, uid, gid]);
        if (type === 'file') expect([path, found.size]).toEqual([path, size]);
      }
      expect(await readFile(join(at, 'etc/kernel/entry-token'), 'utf8')).toBe('debian\n');
    } finally {
      await execa('umount', [at]);
    }
    await execa(check[0], [...check.slice(1), copy]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
