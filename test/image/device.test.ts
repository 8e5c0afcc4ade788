import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES, chunksOf } from '../../image/chunk-table.ts';
import { describeImage } from '../../image/chunker.ts';
import { ImageIoError, TargetTooSmall } from '../../image/io-error.ts';
import { verifyChunks } from '../../image/verifier.ts';
import { writeChunks } from '../../image/writer.ts';
import { loopDevice, smallFilesystem } from './devices.ts';
import { areEqual, makeImage, sample, temporaryFolder } from './samples.ts';

/** Writes in a process of its own and kills it when it says that so much is flushed. */
async function killWhenFlushed(source: string, target: string, bytes: number): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'write-child.ts'), source, target], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    if (Number(line) >= bytes) break;
  }
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
}

describe('a block device', () => {
  it('is written on after SIGKILL where it was left', async () => {
    const { folder, source, target, table } = await sample('dd0d'.repeat(16), { fill: 'noise' });
    const device = await loopDevice(target);
    let claimed = 0;
    for (const flushed of [32, 96, 160].map((mebibytes) => mebibytes * 2 ** 20)) {
      await killWhenFlushed(source, device, flushed);
      claimed = flushed;
    }
    const copy = join(folder, 'as-left.img');
    await writeFile(copy, await readFile(device));
    const left = await describeImage(copy);
    const held = table.chunks.findIndex((digest, index) => digest !== left.table.chunks[index]);
    const report = await writeChunks({ source, table, target: device });
    expect(held * CHUNK_BYTES).toBeGreaterThanOrEqual(claimed);
    expect(report.writtenBytes).toBeLessThanOrEqual(table.sizeBytes - held * CHUNK_BYTES);
    await verifyChunks({ table, target: device });
    expect(await areEqual(source, device)).toBe(true);
  });

  it('is read back from the disk, not from the cache', async () => {
    const { source, target, table } = await sample('ddd');
    const device = await loopDevice(target);
    await writeChunks({ source, table, target: device });
    // Now the kernel has the device's pages, and does not see what happens below.
    expect(await areEqual(source, device)).toBe(true);
    const file = await open(target, 'r+');
    await file.write(randomBytes(1), 0, 1, CHUNK_BYTES + 5);
    await file.write(randomBytes(4096), 0, 4096, CHUNK_BYTES + 4096);
    await file.close();
    await expect(verifyChunks({ table, target: device })).rejects.toThrow(/chunk 1 .*expected .*found/);
  });

  it('that ends one sector early is refused before it is touched', async () => {
    const { target, source, table } = await sample('dd', { fill: 'noise' });
    await truncate(target, table.sizeBytes - 512);
    const before = await readFile(target);
    const device = await loopDevice(target);
    await expect(writeChunks({ source, table, target: device })).rejects.toThrow(TargetTooSmall);
    await expect(verifyChunks({ table, target: device })).rejects.toThrow(TargetTooSmall);
    expect((await readFile(target)).equals(before)).toBe(true);
  });

  it('that is not there is named', async () => {
    const { source, table } = await sample('d');
    const written = writeChunks({ source, table, target: '/dev/iguana-no-such-disk' });
    await expect(written).rejects.toThrow(ImageIoError);
    await expect(written).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a full disk', () => {
  it.each([
    ['a disk image', async (file: string) => file],
    ['a device', loopDevice],
  ])('below %s is an error with the place and the code; what was flushed stays', async (_, open) => {
    const folder = await temporaryFolder();
    const source = join(folder, 'source.img');
    await makeImage(source, 'd'.repeat(24));
    const { table } = await describeImage(source);
    await smallFilesystem(join(folder, 'small'), 56);
    const file = join(folder, 'small/target.img');
    await writeFile(file, '');
    await truncate(file, table.sizeBytes);
    let flushedBytes = 0;
    const failed = writeChunks({
      source,
      table,
      target: await open(file),
      onProgress: (progress) => {
        flushedBytes = progress.flushedBytes;
      },
    });
    const error = await failed.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ImageIoError);
    // A loop device has one word for all that goes wrong below it.
    expect(error).toMatchObject({
      code: expect.stringMatching(/^(ENOSPC|EIO)$/),
      message: expect.stringMatching(/^(writing|flushing) /),
    });
    expect(flushedBytes).toBe(32 * 2 ** 20);
    const held = await readFile(file);
    for (const { offset, length } of [...chunksOf(table)].slice(0, flushedBytes / CHUNK_BYTES)) {
      const expected = (await readFile(source)).subarray(offset, offset + length);
      expect(held.subarray(offset, offset + length).equals(expected)).toBe(true);
    }
  });
});

describe('a file', () => {
  it('that is one byte too small is refused before it is touched', async () => {
    const { target, source, table } = await sample('dd', { tail: 10, fill: 'noise' });
    await truncate(target, table.sizeBytes - 1);
    const before = await readFile(target);
    await expect(writeChunks({ source, table, target })).rejects.toThrow(TargetTooSmall);
    expect((await readFile(target)).equals(before)).toBe(true);
  });

  it('on a filesystem without direct access is written and read back all the same', async () => {
    const folder = await temporaryFolder();
    const { source, table } = await sample('d0d', { tail: 777 });
    await smallFilesystem(join(folder, 'memory'), 32);
    const target = join(folder, 'memory/target.img');
    await writeFile(target, randomBytes(table.sizeBytes));
    await writeChunks({ source, table, target });
    await verifyChunks({ table, target });
    expect(await areEqual(source, target)).toBe(true);
  });
});
