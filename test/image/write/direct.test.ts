/** Writes go past the cache of this system, and where that cannot be, it is told. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { CommandLine } from '../../client/command.ts';
import { loopDevice } from '../devices.ts';
import { folderWith } from '../servers/folder.ts';
import { packSample } from './sample-image.ts';
import { bytesOf, sha256, sha256sum, writeInChild } from './writing.ts';

const MIB = 1 << 20;
const RAW = bytesOf('abcdefgh');
const IMAGE = packSample(RAW, folderWith());

const diskIn = (folder: string): string => {
  const path = join(folder, 'disk');
  writeFileSync(path, randomBytes(RAW.length));
  return path;
};

const write = (target: string) => writeInChild({ reference: `oci:${IMAGE.folder}`, target, readBack: true });

it('of a file, hardly anything is in the cache when it is written', async () => {
  const file = diskIn(folderWith());
  const cachedBytes = async (): Promise<number> => {
    const { stdout } = await execa('fincore', ['--bytes', '--noheadings', '--output', 'RES', file]);
    return Number(stdout);
  };
  expect(await cachedBytes()).toBe(RAW.length);
  expect((await write(file)).report).toMatchObject({ direct: true });
  expect(await cachedBytes()).toBeLessThan(MIB);
});

it('of a block device, nothing is in the cache when it is written', async () => {
  const file = diskIn(folderWith());
  const device = await loopDevice(file);
  // As long as somebody has it open, its cache stays.
  const reader = await open(device, 'r');
  onTestFinished(() => reader.close());
  expect((await write(device)).report).toMatchObject({ direct: true });
  // What changes below the device is not seen where the cache has the block already.
  const below = await open(file, 'r+');
  onTestFinished(() => below.close());
  const [cached, other] = [4 * MIB, 5 * MIB];
  await blockAt(reader, cached);
  for (const at of [cached, other]) await below.write(randomBytes(4096), 0, 4096, at);
  expect(await blockAt(reader, cached)).toEqual(RAW.subarray(cached, cached + 4096));
  expect(await blockAt(reader, other)).not.toEqual(RAW.subarray(other, other + 4096));
});

it('where the filesystem has no direct access, it is written all the same, and said', async () => {
  const folder = folderWith();
  await execa('mount', ['-t', 'ramfs', 'ramfs', folder]);
  onTestFinished(async () => {
    await execa('umount', ['--lazy', folder]);
  });
  const file = diskIn(folder);
  const args = ['image', 'write', `oci:${IMAGE.folder}`, file, '--unsigned', '--yes'];
  const { status, stdout } = await new CommandLine().run(args);
  expect({ status, stdout }).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/has no direct access/),
  });
  expect(await sha256sum(file)).toBe(sha256(RAW));
  const { documents } = await new CommandLine().json(args);
  expect(documents).toMatchObject([{ direct: false }]);
});

async function blockAt(file: FileHandle, at: number): Promise<Buffer> {
  const block = Buffer.alloc(4096);
  await file.read(block, 0, block.length, at);
  return block;
}
