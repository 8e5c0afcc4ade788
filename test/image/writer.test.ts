import { randomBytes } from 'node:crypto';
import { open, readFile, stat, truncate } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES } from '../../image/chunk-table.ts';
import { verifyChunks } from '../../image/verifier.ts';
import { writeChunks } from '../../image/writer.ts';
import { areEqual, sample } from './samples.ts';

const overwrite = async (path: string, position: number, data: Buffer) => {
  const file = await open(path, 'r+');
  await file.write(data, 0, data.length, position);
  await file.close();
};

describe('writing', () => {
  it('leaves the target equal to the image, whatever it held before', async () => {
    const { source, target, table } = await sample('d0dd00d', { tail: 12_345, fill: 'noise' });
    const report = await writeChunks({ source, table, target });
    expect(await areEqual(source, target)).toBe(true);
    expect(report.writtenBytes).toBe(table.sizeBytes);
  });

  it('writes no zeros where there are zeros: a sparse target stays sparse', async () => {
    const { source, target, table } = await sample('d00000000000000d');
    await truncate(target, 0);
    await truncate(target, table.sizeBytes);
    const report = await writeChunks({ source, table, target });
    expect(report).toEqual({
      writtenBytes: 2 * CHUNK_BYTES,
      reusedBytes: 0,
      skippedBytes: 14 * CHUNK_BYTES,
    });
    expect((await stat(target)).blocks * 512).toBeLessThan(3 * CHUNK_BYTES);
    expect(await areEqual(source, target)).toBe(true);
  });

  it('writes at an offset, and nothing before or behind it', async () => {
    const { source, target, table } = await sample('dd');
    const frame = randomBytes(1 << 20);
    await truncate(target, 0);
    await truncate(target, 2 * frame.length + table.sizeBytes);
    await overwrite(target, 0, frame);
    await overwrite(target, frame.length + table.sizeBytes, frame);
    await writeChunks({ source, table, target, offsetBytes: frame.length });
    const written = await readFile(target);
    expect(written.subarray(0, frame.length).equals(frame)).toBe(true);
    expect(written.subarray(frame.length + table.sizeBytes).equals(frame)).toBe(true);
    expect(written.subarray(frame.length, -frame.length).equals(await readFile(source))).toBe(true);
  });

  it('says only what is flushed, up to the end', async () => {
    const { source, target, table } = await sample('d'.repeat(20));
    const flushed: number[] = [];
    await writeChunks({ source, table, target, onProgress: (p) => flushed.push(p.flushedBytes) });
    expect(flushed).toEqual([32, 64, 80].map((mebibytes) => mebibytes * 2 ** 20));
  });

  it('does nothing the second time', async () => {
    const { source, target, table } = await sample('d0d');
    await writeChunks({ source, table, target });
    await expect(writeChunks({ source, table, target })).resolves.toEqual({
      writtenBytes: 0,
      reusedBytes: 2 * CHUNK_BYTES,
      skippedBytes: CHUNK_BYTES,
    });
  });

  it('stops when told to, and goes on where it was', async () => {
    const { source, target, table } = await sample('d'.repeat(24));
    const stop = new AbortController();
    const stopped = writeChunks({
      source,
      table,
      target,
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    await expect(stopped).rejects.toThrow();
    const report = await writeChunks({ source, table, target });
    expect(report.reusedBytes).toBe(32 * 2 ** 20);
    expect(await areEqual(source, target)).toBe(true);
  });

  it('converges from whatever is on the target', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom('d', '0'), minLength: 1, maxLength: 4 }),
        fc.string({ unit: fc.constantFrom('same', 'noise', 'zero'), minLength: 1, maxLength: 4 }),
        async (pattern, states) => {
          const { source, target, table } = await sample(pattern, { fill: 'noise' });
          const image = await readFile(source);
          for (const [index, state] of states.match(/same|noise|zero/g)?.entries() ?? []) {
            const position = index * CHUNK_BYTES;
            if (position >= table.sizeBytes) break;
            if (state === 'same')
              await overwrite(target, position, image.subarray(position, position + CHUNK_BYTES));
            if (state === 'zero') await overwrite(target, position, Buffer.alloc(CHUNK_BYTES));
          }
          const report = await writeChunks({ source, table, target });
          expect(await areEqual(source, target)).toBe(true);
          expect(report.writtenBytes + report.reusedBytes + report.skippedBytes).toBe(table.sizeBytes);
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe('what must not be written', () => {
  it.each([
    [
      'a flipped bit',
      async (source: string) => overwrite(source, 5 * CHUNK_BYTES + 17, Buffer.from([0xff, 0, 0xff])),
    ],
    ['a truncated source', async (source: string) => truncate(source, 5 * CHUNK_BYTES + 100)],
  ])('%s is found before its chunk is written', async (_, damage) => {
    const { source, target, table } = await sample('d'.repeat(8));
    await damage(source);
    await expect(writeChunks({ source, table, target })).rejects.toThrow(
      /chunk 5 of .*expected .*sha256:.*found/,
    );
    const written = await readFile(target);
    expect(written.subarray(5 * CHUNK_BYTES).equals(Buffer.alloc(3 * CHUNK_BYTES))).toBe(true);
  });
});

describe('reading back', () => {
  it('accepts what was written', async () => {
    const { source, target, table } = await sample('d0d', { tail: 4096, fill: 'noise' });
    await writeChunks({ source, table, target });
    await expect(verifyChunks({ table, target })).resolves.toBeUndefined();
  });

  it.each([0, 4 * CHUNK_BYTES - 1, CHUNK_BYTES + 1])('finds one wrong byte at %i', async (position) => {
    const { source, target, table } = await sample('d0dd');
    await writeChunks({ source, table, target });
    const byte = (await readFile(target)).subarray(position, position + 1);
    await overwrite(target, position, Buffer.from([(byte[0] ?? 0) ^ 1]));
    const chunk = Math.floor(position / CHUNK_BYTES);
    await expect(verifyChunks({ table, target })).rejects.toThrow(
      new RegExp(`chunk ${chunk} .*expected .*found`),
    );
  });

  it('finds a target that ends early', async () => {
    const { source, target, table } = await sample('dd');
    await writeChunks({ source, table, target });
    await truncate(target, table.sizeBytes - 1);
    await expect(verifyChunks({ table, target })).rejects.toThrow('has less than');
  });
});
