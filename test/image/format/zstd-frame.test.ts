/** What zstd frames say of themselves, judged by zstd(1); how many blocks they may have. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { maxBlocks } from '../../../image/format/limits.ts';
import { lookingAhead, TableFile } from '../../../image/format/table-bytes.ts';
import { zstdFrame } from '../../../image/format/zstd-frame.ts';
import { folderWith } from '../servers/folder.ts';

/** Each form of the field that holds the size, blocks of every type, several blocks. */
const CONTENTS: readonly (readonly [string, Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['a byte', Buffer.from('a')],
  ['255 bytes', randomBytes(255)],
  ['256 bytes', randomBytes(256)],
  ['65791 zeros', Buffer.alloc(65_791)],
  ['65792 bytes', randomBytes(65_792)],
  ['text of 3 MB', Buffer.alloc(3e6, 'the same again, ')],
];

describe.each(CONTENTS)('a frame of %s', (_what, content) => {
  it.each([
    ['a file', ['--no-check']],
    ['a file, with a checksum', ['--check', '-19']],
    ['a stream, without its size', ['--no-content-size', '--long=27']],
  ])('from %s has the length and window that zstd says', async (_from, options) => {
    const folder = folderWith({ raw: content });
    const file = join(folder, 'raw.zst');
    await execa('zstd', ['-q', ...options, join(folder, 'raw'), '-o', file]);
    const { stdout: packed } = await execa('cat', [file], { encoding: 'buffer' });
    const bytes = Buffer.from(packed);
    const { stdout: said } = await execa('zstd', ['-lv', file]);
    const [, windowBytes] = /Window Size: .*\((\d+) B\)/.exec(said) ?? [];
    const expected = { length: bytes.length, windowBytes: Number(windowBytes) };
    const limits = { maxBlocks: maxBlocks(content.length) };
    expect(zstdFrame(bytes, limits)).toMatchObject(expected);
    expect(zstdFrame(Buffer.concat([bytes, randomBytes(9)]), limits)).toMatchObject(expected);
    expect(zstdFrame(lookingAhead(TableFile.open(file, bytes.length)), limits)).toMatchObject(expected);
    for (const length of [0, 3, 4, 5, 8, bytes.length - 1])
      expect(zstdFrame(bytes.subarray(0, Math.min(length, bytes.length - 1)), limits)).toBeUndefined();
  });
});

describe.each([0, 1, 2000])('a frame of %i empty blocks and a last one', (empty) => {
  const bytes = manyBlocks(empty);

  it('is one for zstd', async () => {
    const { stdout } = await execa('zstd', ['-dc'], { input: bytes });
    expect(stdout).toBe('');
  });

  it('is told where it may have so many, and not where it may have fewer', () => {
    const file = join(folderWith({ frame: bytes }), 'frame');
    for (const where of [bytes, lookingAhead(TableFile.open(file, bytes.length))]) {
      const blocks = empty + 1;
      expect(zstdFrame(where, { maxBlocks: blocks })).toMatchObject({ length: bytes.length, blocks });
      expect(zstdFrame(where, { maxBlocks: blocks - 1 })).toBeUndefined();
    }
  });
});

/** A window of 1 KiB, no size; the last block is empty, too. */
function manyBlocks(empty: number): Buffer {
  return Buffer.concat([
    Buffer.from('28b52ffd0000', 'hex'),
    Buffer.alloc(3 * empty),
    Buffer.from('010000', 'hex'),
  ]);
}
