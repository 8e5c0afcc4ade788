/** A whole write, from the manifest to the last byte, and what must hold of the target when it fails. */
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readImage } from '../../../image/format/read-image.ts';
import { type OpenOptions, openSource } from '../../../image/transfer/open.ts';
import type { ByteRange } from '../../../image/write/flusher.ts';
import type { WriteProgress, WriteReport } from '../../../image/write/request.ts';
import { writeImage } from '../../../image/write/writer.ts';
import { folderWith } from '../servers/folder.ts';
import { packSample, type SampleImage } from './sample-image.ts';
import { bytesOf, sha256, sha256sum, startOf } from './writing.ts';

const BLOCK_BYTES = 4096;
const START_BYTES = 64 << 10;

/** Longer than what one thread has under way at once: when the last quarter is asked for, some of the first is written. */
export const LONG = bytesOf('abcd00efghijkl');
/** Packs of a sample of {@link LONG}; the last one is first asked for when something is written. */
export const LONG_PACKS = 4;

const folder = folderWith();
const IMAGE = packSample(LONG, folder, { packs: LONG_PACKS });

/** Another image of {@link LONG}, the same to a byte: to be damaged. */
export function longSample(): SampleImage {
  const copy = folderWith();
  cpSync(folder, copy, { recursive: true });
  const packs = IMAGE.packs.map((pack) => ({ ...pack, path: pack.path.replace(folder, copy) }));
  return { ...IMAGE, folder: copy, packs };
}

/** What is written where. */
export interface Attempt extends OpenOptions {
  readonly references: readonly string[];
  readonly target: string;
  /** Of the attempt before. */
  readonly flushed?: readonly ByteRange[];
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: WriteProgress) => void;
}

/** What became of it. */
export interface Outcome {
  readonly report?: WriteReport;
  readonly error?: unknown;
  readonly flushed: readonly ByteRange[];
}

/** Reads an image and writes its only part. */
export async function attempt({ references, target, ...options }: Attempt): Promise<Outcome> {
  const { flushed: before, threads = 1, signal, onProgress, ...open } = options;
  const source = openSource(references, { rounds: 2, backoffMs: 10, ...open });
  let flushed = before ?? [];
  try {
    const [part] = (await readImage(source)).parts;
    if (!part) throw new Error('the image has no part');
    const report = await writeImage({
      part: part.chunks,
      source,
      target,
      threads,
      ...(before && { flushed: before }),
      ...(signal && { signal }),
      onProgress: (progress) => {
        ({ flushed } = progress);
        onProgress?.(progress);
      },
    });
    return { report, flushed };
  } catch (error) {
    return { error, flushed };
  } finally {
    await source.close();
  }
}

/** A file full of what was there before. */
export function noise(bytes: number): string {
  const target = join(folderWith(), 'disk');
  writeFileSync(target, randomBytes(bytes));
  return target;
}

/** Nothing boots, and no block is anything but what it was or what it is to be. */
export async function expectHalfWritten(target: string, before: Buffer, raw: Buffer): Promise<void> {
  expect(await startOf(target)).toEqual(Buffer.alloc(START_BYTES));
  const after = readFileSync(target);
  for (let at = START_BYTES; at < raw.length; at += BLOCK_BYTES) {
    const block = after.subarray(at, at + BLOCK_BYTES);
    const isKnown = [before, raw].some((bytes) => block.equals(bytes.subarray(at, at + BLOCK_BYTES)));
    expect(isKnown, `block at ${at}`).toBe(true);
  }
}

/** The next attempt keeps what the failed one has flushed, which must be something, and ends right. */
export async function expectGoesOn(next: Attempt, raw: Buffer): Promise<void> {
  expect(next.flushed).not.toEqual([]);
  const { error, report } = await attempt(next);
  expect(error).toBeUndefined();
  expect(report?.kept).toBeGreaterThan(0);
  expect(await sha256sum(next.target)).toBe(sha256(raw));
}
