/** The attachment `files`: read as it was written, or refused with the place and the reason; what is read is bounded. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../image/digest.ts';
import { BadImage } from '../../image/format/errors.ts';
import { ImageIoError } from '../../image/io-error.ts';
import { type FileEntry, readFileList, writeFileList } from '../../store/file-list.ts';
import { folderWith } from '../image/servers/folder.ts';
import { fileList } from './harness/content.ts';

const MIB = 2 ** 20;

const entries: FileEntry[] = [
  { path: '/', type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0 },
  { path: '/a\nb "é"', type: 'file', mode: 0o4755, uid: 1, gid: 2, size: 3, digest: digestOf('abc') },
  { path: '/c\u2028d\u0085\re\u2029', type: 'fifo', mode: 0o600, uid: 0, gid: 0, size: 0 },
  { path: '/l', type: 'symlink', mode: 0o777, uid: 0, gid: 0, size: 0, link: 'a' },
];

/** Digests do not compress: the list has many blocks. */
const many = Array.from({ length: 20_000 }, (_, index) => ({
  path: `/${index}`,
  type: 'file' as const,
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 1,
  digest: digestOf(String(index)),
}));

/** @returns the error that reading it ends with, which names the file */
async function errorOf(bytes: Buffer): Promise<BadImage> {
  const path = join(folderWith(), 'files');
  await writeFile(path, bytes);
  const error = await Array.fromAsync(readFileList(path)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BadImage);
  expect((error as BadImage).message).toContain(`file list ${path}: `);
  return error as BadImage;
}

const packed = (text: string | Buffer, params: Record<number, number> = {}): Buffer =>
  zstdCompressSync(Buffer.from(text), { params });

it('is read as it was written, a small one and a large one', async () => {
  const path = join(folderWith(), 'files');
  for (const list of [entries, many, []]) {
    await writeFileList(list, path);
    expect(await Array.fromAsync(readFileList(path))).toEqual(list);
  }
});

it('may have several frames, wherever they end', async () => {
  const [first, ...others] = entries.map((entry) => `${JSON.stringify(entry)}\n`);
  // As much as the file is read at once: magic number, no options, a window of 1 MiB, one block that is stored as it is.
  const stored = Buffer.from(
    first
      ?.trimEnd()
      .padEnd(2 ** 16 - 10)
      .concat('\n') ?? '',
  );
  const head = Buffer.from('28b52ffd0050000000', 'hex');
  head.writeUIntLE(stored.length * 8 + 1, 6, 3);
  const path = join(folderWith(), 'files');
  await writeFile(path, Buffer.concat([head, stored, ...others.map((line) => packed(line))]));
  expect(await Array.fromAsync(readFileList(path))).toEqual(entries);
});

it('that is not there: the system says so', async () => {
  const path = join(folderWith(), 'files');
  const reading = Array.fromAsync(readFileList(path));
  await expect(reading).rejects.toThrow(ImageIoError);
  await expect(reading).rejects.toMatchObject({ code: 'ENOENT' });
});

it('need not be read to its end', async () => {
  const path = join(folderWith(), 'files');
  await writeFile(path, await fileList(many));
  for await (const { path: first } of readFileList(path)) {
    expect(first).toBe('/0');
    break;
  }
  await rm(path);
});

describe('a damaged one is refused, and nothing else happens', () => {
  it.each<[string, () => Promise<Buffer>, RegExp]>([
    ['small, cut by 2 bytes', async () => (await fileList(entries)).subarray(0, -2), /one that is cut off$/],
    [
      'large, cut by 1000 bytes',
      async () => (await fileList(many)).subarray(0, -1000),
      /one that is cut off$/,
    ],
    [
      'with junk behind it',
      async () => Buffer.concat([await fileList(entries), Buffer.from('junk')]),
      /at byte \d+ of \d+ is no zstd frame/,
    ],
    ['that is no zstd', async () => Buffer.from('no zstd'), /at byte 0 of 7 is no zstd frame/],
    ['that is empty', async () => Buffer.alloc(0), /at byte 0 of 0 is no zstd frame/],
    [
      'whose first block is broken',
      async () => {
        const bytes = await fileList(many);
        bytes.fill(0xff, 20, 2000);
        return bytes;
      },
      /it cannot be unpacked \(/,
    ],
  ])('%s', async (_, bytes, message) => {
    expect((await errorOf(await bytes())).message).toMatch(message);
  });
});

describe('more than a reader takes', () => {
  it('a window of more than 8 MiB', async () => {
    // Content of unknown size: the frame says its window.
    const params = { [constants.ZSTD_c_windowLog]: 24, [constants.ZSTD_c_contentSizeFlag]: 0 };
    expect((await errorOf(packed(Buffer.alloc(32 * MIB, 'x'), params))).message).toMatch(
      /window of its zstd frame is too large: expected at most 8388608 bytes, found 16777216/,
    );
  });

  it('more blocks than 256 MiB have, in one frame or in several', async () => {
    const emptyBlocks = (count: number): Buffer =>
      Buffer.concat([
        Buffer.from('28b52ffd0050', 'hex'),
        Buffer.alloc(3 * (count - 1)),
        Buffer.from([1, 0, 0]),
      ]);
    const most = 2 ** 18 + 1024;
    const path = join(folderWith(), 'files');
    await writeFile(path, emptyBlocks(most));
    expect(await Array.fromAsync(readFileList(path))).toEqual([]);
    expect((await errorOf(emptyBlocks(most + 1))).message).toMatch(
      /at byte 0 of \d+ .* with too many blocks/,
    );
    const frames = Array.from({ length: 3 }, () => emptyBlocks(most / 2));
    const [at, all] = [2 * (frames[0]?.length ?? 0), Buffer.concat(frames)];
    expect((await errorOf(all)).message).toMatch(
      `at byte ${at} of ${all.length} is no zstd frame, one with too`,
    );
  });

  it('a line of more than 64 KiB, also one without an end', async () => {
    const line = (bytes: number): string => `{"path":"/${'x'.repeat(bytes)}"}`;
    expect((await errorOf(packed(`${line(2 ** 16)}\n`))).message).toMatch(/at most 65536 bytes/);
    expect((await errorOf(packed(Buffer.alloc(200 * MIB, 'x')))).message).toMatch(/at most 65536 bytes/);
    expect((await errorOf(packed(line(2 ** 15)))).message).toMatch(/line 1 .*✖/s);
  });

  it('more than 256 MiB of lines', async () => {
    const entry = { path: '/x', type: 'fifo', mode: 0, uid: 0, gid: 0, size: 0 };
    const line = JSON.stringify(entry);
    // Between the fields of JSON there may be spaces.
    const lines = Array.from({ length: 5400 }, (_, index) => line.replace('/x', `/${index}`).padEnd(50_000));
    expect((await errorOf(packed(`${lines.join('\n')}\n`))).message).toMatch(
      /unpacks to too much: expected at most 268435456 bytes/,
    );
  });

  it('is not written either', async () => {
    const path = join(folderWith(), 'files');
    const long = { ...entries[3], path: `/${'x'.repeat(2 ** 16)}` } as FileEntry;
    await expect(writeFileList([long], path)).rejects.toThrow(/it gets too large at \/x/);
  });
});

describe('a line that breaks the format is named', () => {
  const file = { path: '/f', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 3, digest: digestOf('abc') };
  const link = { path: '/l', type: 'symlink', mode: 0o777, uid: 0, gid: 0, size: 0, link: 'f' };
  it.each<[string, object, RegExp]>([
    ['a relative path', { ...file, path: 'f' }, /path/],
    ['a path with `..`', { ...file, path: '/a/../f' }, /path/],
    ['a path that ends with a slash', { ...file, path: '/f/' }, /path/],
    ['a file without a digest', { ...file, digest: undefined }, /every file has one/],
    ['a symlink without a link', { ...link, link: undefined }, /every symlink has one/],
    ['a symlink with a digest', { ...link, digest: digestOf('') }, /every file has one, and nothing else/],
    ['a file with a link', { ...file, link: 'l' }, /every symlink has one, and nothing else/],
    ['a symlink with a size', { ...link, size: 1 }, /is 0 for what is no file/],
    ['a symlink with permissions', { ...link, mode: 0o755 }, /is 511 \(0o777\) for a symlink/],
    ['another field', { ...file, sha1: '' }, /sha1/],
    ['a path a second time', entries[3] ?? {}, /an earlier line has \/l, too/],
  ])('%s', async (_, line, message) => {
    const text = [...entries, line].map((each) => `${JSON.stringify(each)}\n`).join('');
    const error = await errorOf(packed(text));
    expect(error.message).toMatch(/^reading line 5 of the file list/);
    expect(error.message).toMatch(message);
  });

  it('what is no JSON, and what is no UTF-8', async () => {
    expect((await errorOf(packed('{"path"\n'))).message).toMatch(/line 1 .*it is no JSON/);
    const latin1 = Buffer.from(`${JSON.stringify({ ...entries[2], path: '/é' })}\n`, 'latin1');
    expect((await errorOf(packed(latin1))).message).toMatch(/line 1 .*it is no JSON/);
  });
});
