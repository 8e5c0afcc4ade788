/** `iguana image pack | unpack | inspect | verify | diff` as people use them. */
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, expect, it } from 'vitest';
import { CommandLine } from '../../client/command.ts';
import { folderWith } from '../servers/folder.ts';

const iguana = new CommandLine();
const folder = folderWith();
const [older, newer] = [join(folder, 'older.img'), join(folder, 'newer.img')];
const layout = `oci:${join(folder, 'layout')}`;

beforeAll(async () => {
  const bytes = randomBytes(8 << 20);
  await writeFile(older, Buffer.concat([bytes, Buffer.alloc(8 << 20)]));
  bytes.fill(1, 6 << 20);
  await writeFile(newer, Buffer.concat([bytes, Buffer.alloc(8 << 20)]));
});

it('packs, tells what it is, verifies it, compares it, and unpacks it', async () => {
  const packed = await iguana.json(['image', 'pack', older, `${layout}:1`]);
  expect(packed).toMatchObject({
    status: 0,
    documents: [{ kind: 'image-pack', digest: expect.stringMatching(/^sha256:/) }],
  });
  const { digest } = packed.documents[0] as { digest: string };
  expect(
    (await iguana.run(['image', 'pack', newer, `${layout}:2`, '--name', 'web', '--level', '9'])).status,
  ).toBe(0);

  expect(await iguana.json(['image', 'inspect', `${layout}:1`])).toMatchObject({
    status: 0,
    documents: [
      {
        digest,
        parts: [{ name: 'disk', kind: 'disk', sizeBytes: 16 << 20, dataBytes: 8 << 20 }],
      },
    ],
  });
  const unnamed = await iguana.run(['image', 'inspect', `${layout}:1`]);
  expect(unnamed.stdout).toMatch(`${layout}:1  ${digest}\n`);
  const { stdout } = await iguana.run(['image', 'inspect', `${layout}:2`]);
  expect(stdout).toMatch(/^web {2}sha256:[0-9a-f]{64}\npacked .*\n\nPART .*\ndisk +disk +16\.0 MiB +\S+ MiB/);
  expect(await iguana.run(['image', 'verify', `${layout}:1`])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining(`${digest} is whole`),
  });
  expect(await iguana.json(['image', 'diff', `${layout}:1`, `${layout}:2`])).toMatchObject({
    status: 0,
    documents: [{ parts: [{ name: 'disk', fetchBytes: expect.any(Number) }] }],
  });
  const file = join(folder, 'unpacked.img');
  expect((await iguana.run(['image', 'unpack', `${layout}:1`, file])).status).toBe(0);
  await execa('cmp', [older, file]);
  expect(statSync(file).blocks * 512).toBeLessThan(9 << 20);
});

it('of the same bytes makes the same image, whatever the file is called and however it is packed', async () => {
  const at = folderWith();
  const [copy, zst, qcow2] = ['b.raw', 'c.img.zst', 'd.qcow2'].map((name) => join(at, name));
  await execa('cp', [older, `${copy}`]);
  await execa('zstd', ['-q', older, '-o', `${zst}`]);
  await execa('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', older, `${qcow2}`]);
  const digests = [];
  for (const file of [older, copy, zst, qcow2]) {
    const { documents } = await iguana.json(['image', 'pack', `${file}`, `oci:${folderWith()}`]);
    digests.push((documents[0] as { digest: string }).digest);
  }
  expect(new Set(digests).size).toBe(1);
  const { documents } = await iguana.json(['image', 'inspect', `${layout}:1`]);
  expect(documents).toMatchObject([{ digest: digests[0] }]);
});

it('says which block map it uses', async () => {
  const at = folderWith();
  const [image, map] = [join(at, 'disk.img'), join(at, 'disk.bmap')];
  await execa('cp', ['--sparse=always', older, image]);
  await execa('bmaptool', ['create', '-o', map, image]);
  await execa('zstd', ['-q', '--rm', image]);
  const pack = ['image', 'pack', `${image}.zst`, `oci:${at}/layout`];
  const { status, stdout } = await iguana.run(pack);
  expect({ status, stdout }).toMatchObject({
    status: 0,
    stdout: expect.stringContaining(`disk: 16.0 MiB, of which 8.0 MiB are data, by the block map ${map}`),
  });
  expect((await iguana.json(pack)).documents).toMatchObject([
    { files: [{ part: 'disk', file: `${image}.zst`, blockMap: map }] },
  ]);
  const [without] = (await iguana.json([...pack, '--no-bmap'])).documents as { files: object[] }[];
  expect(without?.files).toEqual([{ part: 'disk', file: `${image}.zst` }]);
});

it('takes no map of the whole disk for that of one of its partitions', async () => {
  const at = folderWith();
  const [root, esp] = [join(at, 'web.root.img'), join(at, 'web.esp.img')];
  for (const [image, bytes] of [
    [root, 8 << 20],
    [esp, 1 << 20],
  ] as const)
    await writeFile(image, randomBytes(bytes));
  await execa('bmaptool', ['create', '-o', join(at, 'web.bmap'), older]);
  await execa('bmaptool', ['create', '-o', `${esp}.bmap`, esp]);
  const target = `oci:${at}/layout`;
  const { status, documents } = await iguana.json(['image', 'pack', `root=${root}`, `esp=${esp}`, target]);
  expect(status).toBe(0);
  expect((documents[0] as { files: object[] }).files).toEqual([
    { part: 'root', file: root },
    { part: 'esp', file: esp, blockMap: `${esp}.bmap` },
  ]);
  // One file alone may be the disk: that its map is of something else is an error, with the way out.
  const alone = await iguana.run(['image', 'pack', `root=${root}`, target]);
  expect(alone.status).toBe(1);
  expect(alone.stderr).toMatch(/web\.bmap: the map is of an image of 16777216 bytes.*`--no-bmap`/);
  expect((await iguana.run(['image', 'pack', `root=${root}`, target, '--no-bmap'])).status).toBe(0);
});

it('says which pack or chunk is damaged, and unpacks nothing', async () => {
  const damaged = folderWith();
  await iguana.run(['image', 'pack', older, `oci:${damaged}`]);
  const blobs = join(damaged, 'blobs/sha256');
  const [pack = ''] = readdirSync(blobs).filter((name) => statSync(join(blobs, name)).size > 1 << 20);
  const handle = await open(join(blobs, pack), 'r+');
  const at = 3 << 20;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
  await handle.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at);
  await handle.close();
  const { status, stderr } = await iguana.run(['image', 'verify', `oci:${damaged}`]);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    new RegExp(`chunk \\d+ at byte \\d+, from pack sha256:${pack}: it (has other|does not)`),
  );
  const file = join(folder, 'never.img');
  const unpacked = await iguana.run(['image', 'unpack', `oci:${damaged}`, file]);
  expect(unpacked.status).toBe(1);
  expect(unpacked.stderr).toMatch(/chunk \d+/);
  expect(readdirSync(folder).filter((name) => name.startsWith('never'))).toEqual([]);
});

it.each([
  [
    'a target that is no folder',
    ['pack', older, 'docker://registry.example/web'],
    /packed into a layout folder/,
  ],
  ['a level that is none', ['pack', older, layout, '--level', '0'], /1 to 19/],
  ['a partition without name', ['pack', `:ext4=${older}`, layout], /no name of a partition/],
  ['a partition with a path as name', ['pack', `..=${older}`, layout], /\.\. is no name of a partition/],
  ['an empty filesystem', ['pack', `root:=${older}`, layout], /nothing is no name of a filesystem/],
  ['a partition without file', ['pack', 'root:ext4=', layout], /no file is named/],
  ['two partitions of one name', ['pack', `a=${older}`, `a=${newer}`, layout], /two parts are called a/],
  [
    'more parts than an image has',
    ['pack', ...Array.from({ length: 130 }, (_, index) => `p${index}=${older}`), layout],
    /at most 129 parts, not 130/,
  ],
  [
    'two files without names',
    ['pack', older, newer, layout],
    /two parts are called disk.*root:ext4=root\.img/s,
  ],
  ['a file without target', ['pack', older], /the target is missing/],
  ['an empty name', ['pack', older, layout, '--name', ''], /1 to 256 characters/],
  [
    'a part that is not there',
    ['unpack', `${layout}:1`, join(folder, 'x'), '--part', 'home'],
    /no part home/,
  ],
  ['a reference that is none', ['inspect', 'ftp://x/y'], /References:/],
])('refuses %s with exit status 2', async (_what, args, message) => {
  const { status, stderr } = await iguana.run(['image', ...args]);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

it('has help with examples for each', async () => {
  for (const command of ['pack', 'unpack', 'inspect', 'verify', 'diff']) {
    const { status, stdout } = await iguana.run(['image', command, '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain(`iguana image ${command} `);
  }
  expect(await readFile(older)).toHaveLength(16 << 20);
});

it('packs no empty file, and says so', async () => {
  const empty = join(folder, 'empty.img');
  await writeFile(empty, '');
  const into = join(folder, 'of-nothing');
  const { status, stderr } = await iguana.run(['image', 'pack', empty, `oci:${into}:1`]);
  expect(status).toBe(1);
  expect(stderr).toContain(`${empty} is empty: there is nothing to pack`);
});
