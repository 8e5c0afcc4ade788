/** Verifying images where they are: nothing that is damaged, moved or added gets through. */
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../image/digest.ts';
import { ChunkTable, encodeTable } from '../../../image/format/chunk-table.ts';
import { BadImage } from '../../../image/format/errors.ts';
import { type Image, type ImagePart, readImage } from '../../../image/format/read-image.ts';
import { verifyImage } from '../../../image/inspect/verify-image.ts';
import type { ImageSource } from '../../../image/source/source.ts';
import { openSource } from '../../../image/transfer/open.ts';
import { folderWith } from '../servers/folder.ts';
import { BAD_FRAMES } from '../write/bad-frames.ts';
import { packSample, type SampleImage } from '../write/sample-image.ts';
import { bytesOf, toldBy } from '../write/writing.ts';

const KIB = 2 ** 10;
/** Data, zeros, data that comes twice, and an end beside the blocks. */
const TWICE = randomBytes(64 * KIB);
const RAW = Buffer.concat([randomBytes(200 * KIB), Buffer.alloc(96 * KIB), TWICE, TWICE, randomBytes(700)]);

interface Opened {
  readonly source: ImageSource;
  readonly sample: SampleImage;
  readonly image: Image;
  readonly part: ImagePart;
}

async function opened<T>(use: (opened: Opened) => Promise<T>, packs = 2): Promise<T> {
  const sample = packSample(RAW, folderWith(), { packs });
  const source = openSource([`oci:${sample.folder}`]);
  try {
    const image = await readImage(source);
    const [part] = image.parts;
    if (!part) throw new Error('no part');
    return await use({ source, sample, image, part });
  } finally {
    await source.close();
  }
}

/** The source, and how many bytes of packs were asked of it. */
function counted(source: ImageSource): { source: ImageSource; readonly asked: () => number } {
  let asked = 0;
  return {
    asked: () => asked,
    source: {
      ...source,
      name: source.name,
      range: async (blob, offset, length, options) => {
        asked += length;
        return await source.range(blob, offset, length, options);
      },
    },
  };
}

it('compares everything, and reads packs in the order of the disk once', async () => {
  await opened(async ({ source, image, part, sample }) => {
    const packed = sample.packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const count = counted(source);
    const progress: number[] = [];
    const verified = await verifyImage(count.source, image, { onProgress: (bytes) => progress.push(bytes) });
    expect(verified).toEqual({ chunks: part.chunks.count, packedBytes: packed, rawBytes: part.dataBytes });
    expect(count.asked()).toBe(packed);
    expect(progress.at(-1)).toBe(packed);
  });
});

it('takes packs in another order than the disk', async () => {
  await opened(async ({ source, image, part }) => {
    const [first, second] = [part.chunks.at(0), part.chunks.at(1)];
    const swapped = [
      { ...second, offset: 0 },
      { ...first, offset: second.length },
    ];
    const dataBytes = first.length + second.length;
    const head = {
      blockBytes: 4096,
      maxChunkBytes: part.chunks.maxChunkBytes,
      sizeBytes: dataBytes,
      dataBytes,
    };
    const table = new ChunkTable(encodeTable(head, part.chunks.packs, swapped));
    const raw = Buffer.concat([
      RAW.subarray(second.offset, second.offset + second.length),
      RAW.subarray(first.offset, first.offset + first.length),
    ]);
    const parts = [{ ...part, sizeBytes: dataBytes, dataBytes, digest: digestOf(raw), chunks: table }];
    await expect(verifyImage(source, { ...image, parts })).resolves.toMatchObject({ chunks: 2 });
  }, 1);
});

describe('refuses', () => {
  it('a flipped bit anywhere in a pack, naming pack and chunk', async () => {
    await opened(async ({ source, image, sample }) => {
      const [pack] = sample.packs;
      if (!pack) throw new Error('no pack');
      const good = readFileSync(pack.path);
      for (const at of [0, 5, Math.floor(good.length / 2), good.length - 1]) {
        const bad = Buffer.from(good);
        bad[at] = (bad[at] ?? 0) ^ 1;
        writeFileSync(pack.path, bad);
        const error = await verifyImage(source, image).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(BadImage);
        expect(String(error)).toContain(pack.digest);
      }
      writeFileSync(pack.path, good);
      await expect(verifyImage(source, image)).resolves.toBeDefined();
    });
  });

  it.each(BAD_FRAMES)('a frame with %s, naming pack and chunk', async (_, make, says) => {
    const at = 128 * KIB;
    const frameOf = (data: Buffer, offset: number) => (offset === at ? make(data) : undefined);
    const sample = packSample(bytesOf('a'), folderWith(), { frameOf });
    const source = openSource([`oci:${sample.folder}`]);
    const error = await verifyImage(source, await readImage(source)).catch((caught: unknown) => caught);
    await source.close();
    expect(error).toBeInstanceOf(BadImage);
    const said = toldBy(error);
    expect(said).toContain(`chunk 2 at byte ${at}, from pack ${sample.packs[0]?.digest}: `);
    expect(said).toMatch(says);
  });

  it('a whole of another digest, though every chunk is right', async () => {
    await opened(async ({ source, image, part }) => {
      const parts = [{ ...part, digest: digestOf('another') }];
      const error = await verifyImage(source, { ...image, parts }).catch((caught: unknown) => caught);
      expect(error).toMatchObject({
        message: expect.stringContaining('not the digest of the whole'),
        expected: digestOf('another'),
        found: `sha256:${createHash('sha256').update(RAW).digest('hex')}`,
      });
    });
  });

  it('bytes that no chunk names', async () => {
    await opened(async ({ source, image, part, sample }) => {
      const [pack] = sample.packs;
      if (!pack) throw new Error('no pack');
      appendFileSync(pack.path, 'more');
      const packs = [{ digest: pack.digest, sizeBytes: pack.sizeBytes + 4 }];
      const chunks = [...part.chunks.chunks()];
      const table = new ChunkTable(encodeTable(part.chunks, packs, chunks));
      await expect(verifyImage(source, { ...image, parts: [{ ...part, chunks: table }] })).rejects.toThrow(
        /a pack has other bytes/,
      );
    }, 1);
  });

  it('to go on when it is cancelled', async () => {
    await opened(async ({ source, image }) => {
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(verifyImage(source, image, { signal })).rejects.toThrow(/enough/);
    });
  });
});
