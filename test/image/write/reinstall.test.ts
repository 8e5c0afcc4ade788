/** A disk that holds an older image is given only what has changed. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { folderWith } from '../servers/folder.ts';
import { packSample } from './sample-image.ts';
import { bytesOf, sha256, sha256sum, writeInChild } from './writing.ts';

const MIB = 1 << 20;

async function reinstall(
  before: string,
  after: string,
  { spoil, isCut = false }: { spoil?: (disk: Buffer) => void; isCut?: boolean } = {},
) {
  const [older, newer] = [before, after].map((pattern) => packSample(bytesOf(pattern), folderWith()));
  if (!older || !newer) throw new Error('two images are needed');
  const target = join(folderWith(), 'disk');
  const size = isCut ? newer.raw.length : Math.max(older.raw.length, newer.raw.length);
  const disk = Buffer.concat([
    older.raw.subarray(0, size),
    randomBytes(Math.max(0, size - older.raw.length)),
  ]);
  spoil?.(disk);
  writeFileSync(target, disk);
  const { report, stderr } = await writeInChild({
    reference: `oci:${newer.folder}`,
    held: `oci:${older.folder}`,
    target,
    readBack: true,
  });
  if (!report) throw new Error(stderr);
  const rest = disk.subarray(newer.raw.length);
  expect(await sha256sum(target)).toBe(sha256(Buffer.concat([newer.raw, rest])));
  return report;
}

/** The first chunk is always written anew. */
const FIRST_BYTES = 64 << 10;

it.each([
  ['the same image', 'abcdefgh', 'abcdefgh', { kept: 8 * MIB - FIRST_BYTES, copied: 0 }],
  ['one megabyte changed', 'abcdefgh', 'abcxefgh', { kept: 7 * MIB - FIRST_BYTES, copied: 0 }],
  ['moved towards the end', 'abcdefgh', 'axbcdefgh', { kept: MIB - FIRST_BYTES, copied: 7 * MIB }],
  ['moved towards the start', 'abcdefgh', 'acdefgh', { kept: MIB - FIRST_BYTES, copied: 6 * MIB }],
  [
    'zeros where data was, and data where zeros were',
    'ab00cd',
    'a0x0cd',
    { kept: 3 * MIB - FIRST_BYTES, copied: 0 },
  ],
  ['a megabyte several times', 'abcd', 'abbbcd', { kept: 2 * MIB - FIRST_BYTES, copied: 4 * MIB }],
])('%s', async (_, before, after, expected) => {
  const { kept, copied } = await reinstall(before, after);
  expect({ kept, copied }).toEqual(expected);
});

it.each([
  ['the end', 'abcdefghijklmnopqrstuvwxyz', 'aa1bcdefghijklmnopqrstuvwxyz', 25],
  ['the start', 'abcdefghijklmnopqrstuvwxyz', 'acdefghijklmnopqrstuvwxyz', 24],
])(
  'moved a little towards %s, in many batches, each over what another one needs',
  async (_, before, after, copied) => {
    expect((await reinstall(before, after)).copied).toBe(copied * MIB);
  },
);

it('a disk that was emptied meanwhile is written whole', async () => {
  const { kept, copied, written } = await reinstall('abcdefgh', 'abcdefgh', {
    spoil: (disk) => disk.fill(0),
  });
  expect({ kept, copied, written }).toEqual({ kept: 0, copied: 0, written: 8 * MIB });
});

it('a disk that ends before the older image does is asked for nothing behind its end', async () => {
  const { copied, written } = await reinstall('abcdefgh', 'agdc', { isCut: true });
  expect({ copied, written }).toEqual({ copied: MIB, written: 2 * MIB + FIRST_BYTES });
});

it('two that change places: one is copied, the other fetched', async () => {
  const { copied, written } = await reinstall('abcd', 'adcb');
  expect({ copied, written }).toEqual({ copied: MIB, written: MIB + FIRST_BYTES });
});

it('what the disk does not hold any more is fetched', async () => {
  const { kept, written } = await reinstall('abcdefgh', 'abcdefgh', {
    spoil: (disk) => disk.fill(0x55, 3 * MIB, 4 * MIB),
  });
  expect({ kept, written }).toEqual({ kept: 7 * MIB - FIRST_BYTES, written: MIB + FIRST_BYTES });
});

it('whatever changes its place, the disk ends equal', async () => {
  const pattern = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', '0'), { minLength: 1, maxLength: 12 })
    .map((letters) => letters.join(''));
  await fc.assert(
    fc.asyncProperty(pattern, pattern, async (before, after) => {
      await reinstall(before, after);
    }),
    { numRuns: 12 },
  );
});
