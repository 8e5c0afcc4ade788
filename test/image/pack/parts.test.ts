/** An image of two partitions, by commands: packed, told, verified, compared, unpacked and written, each part where it belongs. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, expect, it } from 'vitest';
import { CommandLine } from '../../client/command.ts';
import { loopDevice } from '../devices.ts';
import { folderWith } from '../servers/folder.ts';
import { bytesOf, sha256sum } from '../write/writing.ts';

const MIB = 2 ** 20;
const iguana = new CommandLine();
const folder = folderWith();
const layout = `oci:${join(folder, 'layout')}`;
const file = (name: string) => join(folder, name);
const [root, rootNext, esp] = [file('root.img'), file('root-next.img'), file('esp.img')];

/** Real ones, so that their own tools judge what was written. */
beforeAll(async () => {
  const tree = file('tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'system'), bytesOf('abcdef'));
  await execa('mke2fs', ['-q', '-t', 'ext4', '-d', tree, root, '32M']);
  writeFileSync(join(tree, 'update'), bytesOf('x'));
  await execa('mke2fs', ['-q', '-t', 'ext4', '-d', tree, rootNext, '32M']);
  await execa('truncate', ['--size=8M', esp]);
  await execa('mkfs.vfat', [esp]);
  await execa('mcopy', ['-i', esp, join(tree, 'update'), '::loader']);
});

async function succeeds(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await iguana.run(['image', ...args]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

async function documentOf(...args: readonly string[]): Promise<unknown> {
  const { status, documents } = await iguana.json(['image', ...args]);
  expect(status).toBe(0);
  return documents[0];
}

it('holds both, and each is unpacked and written by its name', async () => {
  const parts = [
    { name: 'root', kind: 'partition', filesystem: 'ext4', sizeBytes: 32 * MIB },
    { name: 'esp', kind: 'partition', filesystem: 'vfat', sizeBytes: 8 * MIB },
  ];
  const digests = await Promise.all([root, esp].map(async (each) => `sha256:${await sha256sum(each)}`));
  const expected = parts.map((part, index) => ({ ...part, digest: digests[index] }));
  const packed = await documentOf('pack', `root:ext4=${root}`, `esp:vfat=${esp}`, `${layout}:1`);
  expect(packed).toMatchObject({ parts: expected, files: [{ part: 'root' }, { part: 'esp' }] });
  const inspected = await documentOf('inspect', `${layout}:1`);
  expect(inspected).toMatchObject({ digest: (packed as { digest: string }).digest, parts: expected });
  const [first, second] = (inspected as { parts: { chunks: number }[] }).parts;
  expect(await documentOf('verify', `${layout}:1`)).toMatchObject({
    chunks: (first?.chunks ?? 0) + (second?.chunks ?? 0),
  });

  for (const [name, source] of [
    ['root', root],
    ['esp', esp],
  ] as const) {
    const unpacked = file(`${name}.unpacked`);
    await succeeds('unpack', `${layout}:1`, unpacked, '--part', name);
    await execa('cmp', [source, unpacked]);
    const target = file(`${name}.target`);
    writeFileSync(target, Buffer.alloc(readFileSync(source).length, 'what was there before '));
    const device = await loopDevice(target);
    await succeeds('write', `${layout}:1`, device, '--part', name, '--unsigned', '--yes');
    await execa('cmp', [source, device]);
  }
  await execa('fsck.ext4', ['-fn', file('root.target')]);
  await execa('fsck.vfat', ['-n', file('esp.target')]);
});

it('is compared part by part: of the next, only what another part has not either is fetched', async () => {
  await succeeds('pack', `root:ext4=${root}`, `esp:vfat=${esp}`, `${layout}:older`);
  await succeeds('pack', `root:ext4=${rootNext}`, `esp:vfat=${esp}`, `${layout}:newer`);
  const { parts } = (await documentOf('diff', `${layout}:older`, `${layout}:newer`)) as {
    parts: { name: string; fetchBytes: number; packedBytes: number; sharedBytes: number }[];
  };
  const [rootDiff, espDiff] = parts;
  expect(rootDiff).toMatchObject({ name: 'root' });
  expect(rootDiff?.sharedBytes).toBeGreaterThan(5 * MIB);
  expect(rootDiff?.fetchBytes).toBeLessThan((rootDiff?.packedBytes ?? 0) / 2);
  expect(espDiff).toMatchObject({ name: 'esp', fetchBytes: 0 });
});

it.each([
  ['unpacked', ['unpack', `${layout}:one`, file('never')]],
  ['written', ['write', `${layout}:one`, file('never'), '--unsigned']],
])('is not %s where nobody says which part', async (_what, args) => {
  await succeeds('pack', `root:ext4=${root}`, `esp:vfat=${esp}`, `${layout}:one`);
  expect(await iguana.run(['image', ...args])).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/it has 2 parts\n.*Choose one with --part: root, esp\./),
  });
  await expect(execa('stat', [file('never')])).rejects.toThrow(/No such file/);
});
