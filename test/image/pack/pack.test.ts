/** Packing and unpacking, judged by cmp(1), sha256sum(1), zstd(1) and jq(1). */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../../image/digest.ts';
import { BadImage } from '../../../image/format/errors.ts';
import { readImage } from '../../../image/format/read-image.ts';
import { verifyImage } from '../../../image/inspect/verify-image.ts';
import { type ImageInput, openInput } from '../../../image/pack/input.ts';
import { type PackRequest, packImage } from '../../../image/pack/pack-image.ts';
import type { PartInput } from '../../../image/pack/pack-part.ts';
import { unpackPart } from '../../../image/pack/unpack.ts';
import { parseReference } from '../../../image/source/reference.ts';
import type { ImageSource } from '../../../image/source/source.ts';
import { LayoutTarget } from '../../../image/transfer/layout-target.ts';
import { openSource } from '../../../image/transfer/open.ts';

const MIB = 2 ** 20;
const SIZE = 48 * MIB;
let folder: string;
let raw: string;
let count = 0;

/** A disk with data at both ends, repeated data, long and short runs of zeros, and data between the blocks. */
async function makeDisk(path: string): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(SIZE);
  const repeated = randomBytes(MIB);
  await file.write(randomBytes(3 * MIB), 0, 3 * MIB, 0);
  await file.write(repeated, 0, MIB, 8 * MIB);
  await file.write(repeated, 0, MIB, 20 * MIB);
  await file.write(Buffer.from('lonely'), 0, 6, 30 * MIB + 5000);
  for (let n = 0; n < 40; n++) await file.write(randomBytes(4096), 0, 4096, 32 * MIB + n * 3 * 4096);
  await file.write(randomBytes(4096), 0, 4096, SIZE - 4096);
  await file.close();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iguana-pack-'));
  raw = join(folder, 'disk.img');
  await makeDisk(raw);
});
afterAll(() => rm(folder, { recursive: true }));

/** Packs a file into a new folder. */
async function pack(path: string, more: { tag?: string; into?: string } = {}) {
  const into = more.into ?? join(folder, `layout-${count++}`);
  const reference = `oci:${into}${more.tag === undefined ? '' : `:${more.tag}`}`;
  const target = targetAt(reference);
  const parts = [{ name: 'disk', kind: 'disk' as const, input: await openInput(path) }];
  return { ...(await packImage(target, { parts, level: 3, name: 'test', tag: more.tag })), reference, into };
}

function targetAt(reference: string): LayoutTarget {
  const parsed = parseReference(reference);
  if (parsed.kind !== 'layout') throw new Error('not a layout');
  return new LayoutTarget(parsed);
}

const imageAt = (reference: string) => withSource(reference, (source) => readImage(source));

async function withSource<T>(reference: string, use: (source: ImageSource) => Promise<T>): Promise<T> {
  const source = openSource([reference]);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

it('makes an image of which unpacking makes the same bytes, with the same holes', async () => {
  const { reference, parts } = await pack(raw);
  const image = await imageAt(reference);
  const [part] = image.parts;
  if (!part) throw new Error('no part');
  const file = join(folder, 'unpacked.img');
  await withSource(reference, (source) => unpackPart({ part, file, source }));
  await execa('cmp', [raw, file]);
  const { stdout } = await execa('sha256sum', [file]);
  expect(parts[0]?.digest).toBe(`sha256:${stdout.split(' ')[0]}`);
  expect((await stat(file)).blocks).toBeLessThanOrEqual((await stat(raw)).blocks + 2048);
  const verified = await withSource(reference, (source) => verifyImage(source, image));
  expect(verified.chunks).toBe(part.chunks.count);
});

it('makes frames that zstd itself reads, and a manifest of known blobs', async () => {
  const { into, reference } = await pack(raw);
  const [part] = (await imageAt(reference)).parts;
  const chunk = part?.chunks.at(part.chunks.count - 1);
  const packOf = part?.chunks.packs[chunk?.pack ?? 0];
  if (!chunk || !packOf) throw new Error('no chunk');
  const bytes = await readFile(join(into, 'blobs', packOf.digest.replace(':', '/')));
  const input = bytes.subarray(chunk.packedOffset, chunk.packedOffset + chunk.packedLength);
  const { stdout } = await execa('zstd', ['-dc'], { input, encoding: 'buffer' });
  expect(createHash('sha256').update(stdout).digest('hex')).toBe(chunk.sha256);
  const { stdout: index } = await execa('jq', ['-r', '.manifests[0].digest'], {
    input: await readFile(join(into, 'index.json')),
  });
  const manifest = await readFile(join(into, 'blobs', index.replace(':', '/')), 'utf8');
  expect(JSON.parse(manifest)).toMatchObject({
    artifactType: 'application/vnd.iguana.image.v1',
    config: { mediaType: 'application/vnd.iguana.image.config.v1+json' },
  });
  for (const { digest, size } of [JSON.parse(manifest).config, ...JSON.parse(manifest).layers]) {
    const path = join(into, 'blobs', digest.replace(':', '/'));
    expect((await stat(path)).size).toBe(size);
    expect((await execa('sha256sum', [path])).stdout).toContain(digest.slice('sha256:'.length));
  }
});

it('tells how far it is over all parts', async () => {
  const input = await openInput(raw);
  const parts = ['a', 'b'].map((name) => ({ name, kind: 'partition' as const, input }));
  const told: [number, number][] = [];
  const into = join(folder, `layout-${count++}`);
  await packImage(targetAt(`oci:${into}`), {
    parts,
    level: 1,
    onProgress: (done, total) => told.push([done, total]),
  });
  expect(told.at(-1)).toEqual([2 * SIZE, 2 * SIZE]);
  expect(told).toEqual(told.toSorted(([one], [other]) => one - other));
  const { stdout } = await execa('sha256sum', [raw]);
  const digest = `sha256:${stdout.slice(0, 64)}`;
  expect((await imageAt(`oci:${into}`)).parts).toMatchObject([
    { name: 'a', digest },
    { name: 'b', digest },
  ]);
});

describe('the same bytes give the same image', () => {
  it('packed again, elsewhere', async () => {
    const [first, second] = [await pack(raw), await pack(raw)];
    expect(second.digest).toBe(first.digest);
  });

  it.each([
    ['zstd', ['zstd', '-q', '-k', '-f'], '.zst'],
    ['xz', ['xz', '-k', '-f', '-0'], '.xz'],
    ['gzip', ['gzip', '-k', '-f', '-1'], '.gz'],
  ] as const)('compressed by %s', async (_what, [tool, ...args], ending) => {
    await execa(tool, [...args, raw]);
    expect((await pack(`${raw}${ending}`)).digest).toBe((await pack(raw)).digest);
  });

  it('as qcow2', async () => {
    const path = join(folder, 'disk.qcow2');
    await execa('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', '-c', raw, path]);
    expect((await pack(path)).digest).toBe((await pack(raw)).digest);
    expect((await readdir(folder)).filter((name) => name.startsWith('.iguana-qcow2'))).toEqual([]);
  });

  it('with the same data moved by blocks shares nearly all of it', async () => {
    const moved = join(folder, 'moved.img');
    const bytes = await readFile(raw);
    await writeFile(moved, Buffer.concat([randomBytes(4096), bytes.subarray(0, SIZE - 4096)]));
    const { diffImages } = await import('../../../image/inspect/diff.ts');
    const [before, after] = [await pack(raw), await pack(moved)];
    const [diff] = diffImages(await imageAt(before.reference), await imageAt(after.reference));
    expect(diff?.sharedBytes).toBeGreaterThan(0.8 * (diff?.dataBytes ?? 0));
  });
});

describe('a block map', () => {
  /** An image in a folder of its own, whose map leaves out a block that is not zero, and the map. */
  async function mapped(name: string): Promise<{ path: string; map: string }> {
    const path = join(await mkdtemp(join(folder, 'mapped-')), name);
    await execa('cp', ['--sparse=always', raw, path]);
    await execa('bmaptool', ['create', '-o', `${path}.made`, path]);
    const map = await readFile(`${path}.made`, 'utf8');
    await rm(`${path}.made`);
    const file = await open(path, 'r+');
    await file.write(randomBytes(4096), 0, 4096, 40 * MIB);
    await file.close();
    return { path, map };
  }

  it('makes zeros of what it leaves out', async () => {
    const { path, map } = await mapped('disk.img');
    const plain = await pack(raw);
    await writeFile(`${path}.bmap`, map);
    expect((await pack(path)).digest).toBe(plain.digest);
  });

  it.each<[string, (map: string) => string, RegExp]>([
    [
      'has another checksum',
      (map) => map.replace(/chksum="[0-9a-f]{8}/, 'chksum="00000000'),
      /comparing .* with its block map .*: bytes 0 to \d+: expected SHA-256/,
    ],
    [
      'is of another size',
      (map) => map.replace(/<ImageSize>.*<\/ImageSize>/, `<ImageSize> ${2 * SIZE} </ImageSize>`),
      new RegExp(`the map is of an image of ${2 * SIZE} bytes, this one has ${SIZE};`),
    ],
    [
      'has ranges beyond its image',
      (map) => map.replace(/<ImageSize>.*<\/ImageSize>/, '<ImageSize> 5 </ImageSize>'),
      /beyond the 5 bytes of the image/,
    ],
    [
      'has no checksums, and leaves out what is not zero',
      (map) => map.replaceAll(/ chksum="[0-9a-f]*"/g, ''),
      new RegExp(`has no checksums, and leaves out byte ${40 * MIB}, which is not zero`),
    ],
    ['is no map', () => 'not XML', /it is no block map of bmaptool/],
  ])('that %s is refused by its name, with what to do', async (_what, change, message) => {
    const { path, map } = await mapped('disk.img');
    await writeFile(`${path}.bmap`, change(map));
    const error = await pack(path).catch((caught: unknown) => caught);
    expect(String(error)).toMatch(message);
    expect(String(error)).toMatch(/block map \S+disk\.img\.bmap.*`--no-bmap` packs without it/);
  });

  it('without checksums is used where it leaves out zeros only', async () => {
    const { path, map } = await mapped('disk.img');
    await writeFile(`${path}.bmap`, map.replaceAll(/ chksum="[0-9a-f]*"/g, ''));
    await execa('cp', ['--sparse=always', raw, path]);
    const input = await openInput(path);
    expect(input.blockMap).toBe(`${path}.bmap`);
    expect((await pack(path)).digest).toBe((await pack(raw)).digest);
  });

  it('is looked at before it is read: nothing large, and no folder', async () => {
    const { path } = await mapped('disk.img');
    // More than Node reads at all.
    await writeFile(`${path}.bmap`, '');
    await truncate(`${path}.bmap`, 2 ** 36);
    await expect(openInput(path)).rejects.toThrow(
      /disk\.img\.bmap: it has 68719476736 bytes, and a map at most 67108864; .*--no-bmap/,
    );
    await rm(`${path}.bmap`);
    await mkdir(`${path}.bmap`);
    await expect(openInput(path)).rejects.toThrow(/disk\.img\.bmap: it is no file; .*--no-bmap/);
  });

  /** The file that bmaptool itself takes for the map. */
  async function bmaptoolTakes(path: string): Promise<string | undefined> {
    const { all } = await execa('bmaptool', ['copy', path, `${path}.copy`], { reject: false, all: true });
    await rm(`${path}.copy`, { force: true });
    return /discovered bmap file '(.*)'/.exec(all)?.[1];
  }

  it.each([
    ['disk.img', 'disk.img.bmap', undefined],
    ['disk.img', 'disk.bmap', undefined],
    ['disk.img', 'disk.img.bmap', 'disk.bmap'],
    ['disk.img.zst', 'disk.img.zst.bmap', 'disk.img.bmap'],
    ['disk.img.zst', 'disk.img.bmap', 'disk.bmap'],
    ['disk.img.zst', 'disk.bmap', undefined],
    ['disk.raw.gz', 'disk.raw.bmap', undefined],
    ['disk.raw.gz', 'disk.bmap', undefined],
    ['disk.img.xz', 'disk.img.bmap', undefined],
    ['disk-1.2.img.gz', 'disk-1.bmap', undefined],
  ] as const)('of %s is %s, as bmaptool finds it, and not %s', async (name, taken, left) => {
    const [, base = name, ending] = /^(.*)\.(zst|gz|xz)$/.exec(name) ?? [];
    const { path: image, map } = await mapped(base);
    const beside = join(image, '..');
    if (ending === 'zst') await execa('zstd', ['-q', '--rm', image]);
    if (ending === 'gz') await execa('gzip', ['-1', image]);
    if (ending === 'xz') await execa('xz', ['-0', image]);
    const path = join(beside, name);
    await writeFile(join(beside, taken), map);
    if (left !== undefined) await writeFile(join(beside, left), 'not XML');
    expect(await bmaptoolTakes(path)).toBe(join(beside, taken));
    expect((await openInput(path)).blockMap).toBe(join(beside, taken));
    expect((await pack(path)).digest).toBe((await pack(raw)).digest);
  });

  it('is not looked for where nobody wants it', async () => {
    const { path } = await mapped('disk.img');
    await writeFile(`${path}.bmap`, 'not XML');
    expect((await openInput(path, { bmap: 'none' })).blockMap).toBeUndefined();
  });
});

describe('is refused, and leaves no image', () => {
  it.each([
    ['zst', ['zstd', '-q', '-f']],
    ['xz', ['xz', '-k', '-f', '-0']],
    ['gz', ['gzip', '-k', '-f', '-1']],
  ] as const)('a truncated .%s', async (ending, [tool, ...args]) => {
    const path = join(folder, `cut-${ending}.img`);
    await execa('cp', [raw, path]);
    await execa(tool, [...args, path]);
    const { size } = await stat(`${path}.${ending}`);
    await truncate(`${path}.${ending}`, Math.floor(size / 2));
    const into = join(folder, `cut-layout-${ending}`);
    await expect(pack(`${path}.${ending}`, { into })).rejects.toThrow(
      /decompressing .*ended with status [12]/,
    );
    await expect(stat(join(into, 'index.json'))).rejects.toThrow('ENOENT');
  });

  it('a qcow2 that reads another file', async () => {
    const path = join(folder, 'overlay.qcow2');
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', raw, path]);
    await expect(pack(path)).rejects.toThrow(/only what differs from .*disk.img/);
  });

  /** Says that its bytes are read, which is too late. */
  const unread: ImageInput = {
    name: 'never read',
    sizeBytes: SIZE,
    read: () => {
      throw new Error('it was read');
    },
  };
  const part: PartInput = { name: 'root', kind: 'partition', input: unread };
  const many = Array.from({ length: 130 }, (_, index) => ({ ...part, name: `p${index}` }));

  it.each<[string, Pick<PackRequest, 'parts' | 'name' | 'attachments'>, RegExp]>([
    ['two parts of one name', { parts: [part, part] }, /packing into .*two parts are called root/],
    ['no part', { parts: [] }, /parts: it has to be 1 to 129 objects/],
    ['more parts than an image has', { parts: many }, /parts: it has to be 1 to 129 objects/],
    ['a name that is none', { parts: [part, { ...part, name: '../x' }] }, /parts\[1\]\.name: .* text like/],
    [
      'a filesystem with a long name',
      { parts: [{ ...part, filesystem: 'x'.repeat(33) }] },
      /parts\[0\]\.filesystem: it has to be text of 1 to 32 characters/,
    ],
    [
      'a disk with a filesystem',
      { parts: [{ ...part, kind: 'disk', filesystem: 'ext4' }] },
      /parts\[0\]\.filesystem: a disk has no filesystem/,
    ],
    [
      'a part beyond the largest size',
      { parts: [{ ...part, input: { ...unread, sizeBytes: 2 ** 50 + 1 } }] },
      /parts\[0\]\.sizeBytes: it has to be a whole number/,
    ],
    ['an empty name', { parts: [part], name: '' }, /name: it has to be text of 1 to 256 characters/],
    [
      'two attachments of one name',
      {
        parts: [part],
        attachments: ['a', 'b'].map((of) => ({ name: 'esp', digest: digestOf(of), sizeBytes: 1 })),
      },
      /two attachments are called esp/,
    ],
  ])('%s, before anything is read', async (_what, request, message) => {
    const into = join(folder, 'refused');
    const error = await packImage(targetAt(`oci:${into}`), { ...request, level: 1 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(BadImage);
    expect(`${error} ${error instanceof Error ? error.cause : ''}`).toMatch(message);
    await expect(stat(into)).rejects.toThrow('ENOENT');
  });

  it('a file that is not there', async () => {
    await expect(pack(join(folder, 'none'))).rejects.toThrow(/reading .*none: ENOENT/);
  });

  it('where the folder is full; with room, it is packed', async () => {
    const mount = join(folder, 'small');
    await mkdir(mount);
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount]);
    try {
      await expect(pack(raw, { into: join(mount, 'layout') })).rejects.toThrow(/writing .*incoming.*ENOSPC/);
      await expect(stat(join(mount, 'layout/index.json'))).rejects.toThrow('ENOENT');
      await execa('mount', ['-o', 'remount,size=64m', mount]);
      expect((await pack(raw, { into: join(mount, 'layout') })).digest).toBe((await pack(raw)).digest);
      expect(
        (await readdir(join(mount, 'layout/blobs/sha256'))).filter((name) => !/^[0-9a-f]{64}$/.test(name)),
      ).toEqual([]);
    } finally {
      await execa('umount', [mount]);
    }
  });
});
