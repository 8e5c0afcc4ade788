/** Images whose packs are not what their table says: nothing wrong is written, and mended, the write goes on. */
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ChunksNotRead, CorruptChunk } from '../../../image/write/errors.ts';
import { folderWith } from '../servers/folder.ts';
import { startNginx } from '../servers/nginx.ts';
import { attempt, expectGoesOn, expectHalfWritten, LONG, LONG_PACKS, longSample, noise } from './attempt.ts';
import { BAD_FRAMES } from './bad-frames.ts';
import { packSample, type SampleImage } from './sample-image.ts';
import { sha256, sha256sum, startOf, toldBy } from './writing.ts';

const LAST = LONG_PACKS - 1;
/** Of the chunk whose frame is wrong: in the last pack. */
const BAD_OFFSET = 12 << 20;

const packOf = ({ packs }: SampleImage, index: number) => {
  const pack = packs[index];
  if (!pack) throw new Error(`there is no pack ${index}`);
  return pack;
};

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

/** The image with its fault, and as it is when that is mended. */
interface Mendable {
  readonly bad: SampleImage;
  readonly mend: () => SampleImage;
}

/** Of an image whose last pack is not what it was. */
function damaged(damage: (path: string, image: SampleImage) => void): Mendable {
  const bad = longSample();
  const { path } = packOf(bad, LAST);
  copyFileSync(path, `${path}.saved`);
  damage(path, bad);
  return {
    bad,
    mend: () => {
      copyFileSync(`${path}.saved`, path);
      return bad;
    },
  };
}

type Class = abstract new (...args: never) => Error;

const FAULTS: readonly (readonly [string, () => Mendable, Class, RegExp])[] = [
  [
    'a flipped bit in a pack',
    () => damaged((path) => flipByte(path, 123_456)),
    CorruptChunk,
    /expected sha256:[0-9a-f]{64}, found /,
  ],
  [
    'a flipped bit in its first byte',
    () => damaged((path) => flipByte(path, 0)),
    CorruptChunk,
    /found what does not decompress to its 65536 bytes\n/,
  ],
  [
    'a truncated pack',
    () => damaged((path) => truncateSync(path, 100_000)),
    ChunksNotRead,
    /the file has another size; expected \d+ bytes, found 100000 bytes/,
  ],
  [
    'another valid pack in its place',
    () =>
      damaged((path, image) => {
        const other = readFileSync(packOf(image, 1).path);
        const { sizeBytes } = packOf(image, LAST);
        writeFileSync(path, Buffer.concat([other, Buffer.alloc(sizeBytes)]).subarray(0, sizeBytes));
      }),
    CorruptChunk,
    /expected sha256:[0-9a-f]{64}, found /,
  ],
  ...BAD_FRAMES.map(
    ([what, make, says]) =>
      [
        `a frame with ${what}`,
        () => ({
          bad: packSample(LONG, folderWith(), {
            packs: LONG_PACKS,
            frameOf: (data, offset) => (offset === BAD_OFFSET ? make(data) : undefined),
          }),
          mend: longSample,
        }),
        CorruptChunk,
        says,
      ] as const,
  ),
];

it.each(FAULTS)('%s', async (_, make, kind, says) => {
  const { bad, mend } = make();
  const target = noise(LONG.length);
  const before = readFileSync(target);
  const { error, flushed } = await attempt({ references: [`oci:${bad.folder}`], target });
  expect(error).toBeInstanceOf(kind);
  expect(error).toMatchObject({ chunk: expect.any(Number), offset: expect.any(Number) });
  const said = toldBy(error);
  expect(said).toMatch(/^(reading|fetching) chunk \d+ \(byte \d+ of the image\)/);
  expect(said).toContain(`from oci:${bad.folder}`);
  expect(said).toMatch(says);
  await expectHalfWritten(target, before, LONG);
  await expectGoesOn({ references: [`oci:${mend().folder}`], target, flushed }, LONG);
});

it('a mirror that has a pack right is asked where another has it wrong', async () => {
  const [bad, good] = [longSample(), longSample()];
  flipByte(packOf(bad, LAST).path, 77_777);
  const target = noise(LONG.length);
  const references = (await Promise.all([bad, good].map(({ folder }) => startNginx(folder)))).map(
    ({ url }) => url,
  );
  expect((await attempt({ references, target })).error).toBeUndefined();
  expect(await sha256sum(target)).toBe(sha256(LONG));
});

it('a write stops when it is told to, with the reason', async () => {
  const target = noise(LONG.length);
  const references = [`oci:${longSample().folder}`];
  const stop = new AbortController();
  const reason = new Error('enough');
  const onProgress = () => stop.abort(reason);
  const { error } = await attempt({ references, target, signal: stop.signal, onProgress });
  expect(error).toBe(reason);
  expect(await startOf(target)).toEqual(Buffer.alloc(64 << 10));
});
