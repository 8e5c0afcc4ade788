/** Image files and targets for the tests of the image library. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { CHUNK_BYTES } from '../../image/chunk-table.ts';
import { describeImage } from '../../image/chunker.ts';

/** A folder that goes away with the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'iguana-image-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Makes an image of chunks: `d` is data, `0` zeros; `tail` bytes of data follow. */
export async function makeImage(path: string, pattern: string, tail = 0): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.truncate(pattern.length * CHUNK_BYTES + tail);
    for (const [index, kind] of [...pattern].entries()) {
      if (kind === 'd') await file.write(randomBytes(CHUNK_BYTES), 0, CHUNK_BYTES, index * CHUNK_BYTES);
    }
    if (tail > 0) await file.write(randomBytes(tail), 0, tail, pattern.length * CHUNK_BYTES);
  } finally {
    await file.close();
  }
}

/** An image with its table, and a target of the same size that holds `fill`. */
export async function sample(pattern: string, options: { tail?: number; fill?: 'zeros' | 'noise' } = {}) {
  const folder = await temporaryFolder();
  const source = join(folder, 'source.img');
  const target = join(folder, 'target.img');
  await makeImage(source, pattern, options.tail);
  const { table } = await describeImage(source);
  const noise = options.fill === 'noise';
  await writeFile(target, noise ? randomBytes(table.sizeBytes) : Buffer.alloc(table.sizeBytes));
  return { folder, source, target, table };
}

/** True where the two files are byte-equal, judged by the bytes. */
export async function areEqual(a: string, b: string): Promise<boolean> {
  return (await readFile(a)).equals(await readFile(b));
}
