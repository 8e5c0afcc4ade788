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
        name: 'older.img',
        parts: [{ name: 'disk', kind: 'disk', sizeBytes: 16 << 20, dataBytes: 8 << 20 }],
      },
    ],
  });
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
  ['a partition without name', ['pack', older, layout, '--partition', ':ext4'], /no name of a partition/],
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
