import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { layOut, MIB, MINIMUM_BYTES, minimumOf } from '../../manifest/layout.ts';
import type { CompleteProfile } from '../../manifest/schema/profile.ts';
import { GIB } from './samples.ts';

type Partition = CompleteProfile['storage']['partitions'][number];

const partition = (size: Partition['size'], changes: Partial<Partition> = {}): Partition => ({
  label: 'x',
  type: 'linux-generic',
  mountOptions: [],
  size,
  ...changes,
});

const inMiB = (sizes: readonly Partition['size'][], diskBytes: number): unknown =>
  layOut(
    sizes.map((size) => partition(size)),
    diskBytes,
  ).extents?.map(({ offsetBytes, sizeBytes }) => [offsetBytes / MIB, sizeBytes / MIB]);

test.each<[string, Partition['size'][], number, [number, number][] | undefined]>([
  [
    'exact sizes, one after the other',
    ['512M', '1G'],
    4 * GIB,
    [
      [1, 512],
      [513, 1024],
    ],
  ],
  [
    'the rest of a disk',
    ['512M', 'rest'],
    4 * GIB,
    [
      [1, 512],
      [513, 3582],
    ],
  ],
  [
    'two that share the rest',
    ['rest', 'rest'],
    1026 * MIB,
    [
      [1, 512],
      [513, 512],
    ],
  ],
  [
    'the MiB that cannot be divided',
    ['rest', 'rest'],
    1027 * MIB,
    [
      [1, 512],
      [513, 513],
    ],
  ],
  [
    'a minimum below its share',
    [{ min: '100M' }, 'rest'],
    1026 * MIB,
    [
      [1, 512],
      [513, 512],
    ],
  ],
  [
    'a minimum above its share',
    [{ min: '800M' }, 'rest'],
    1026 * MIB,
    [
      [1, 800],
      [801, 224],
    ],
  ],
  [
    'minima that change the share of others',
    [{ min: '700M' }, { min: '200M' }, 'rest'],
    1026 * MIB,
    [
      [1, 700],
      [701, 200],
      [901, 124],
    ],
  ],
  [
    'sizes rounded up to MiB',
    [1, '1025K'],
    4 * GIB,
    [
      [1, 1],
      [2, 2],
    ],
  ],
  ['a disk that is no multiple of MiB', ['rest'], 100 * MIB + 512, [[1, 98]]],
  ['space that nobody asked for', ['64M'], 4 * GIB, [[1, 64]]],
  ['a disk that is filled to the last MiB', ['98M'], 100 * MIB, [[1, 98]]],
  ['a disk that is one MiB too small', ['99M'], 100 * MIB, undefined],
  ['a rest too small for its filesystem', ['70M', 'rest'], 100 * MIB, undefined],
])('lays out %s', (_, sizes, diskBytes, expected) => {
  expect(inMiB(sizes, diskBytes)).toEqual(expected);
});

test('says how much is needed', () => {
  expect(layOut([partition('4G'), partition('4G')], 4 * GIB)).toEqual({ neededBytes: 8 * GIB + 2 * MIB });
});

describe('any layout', () => {
  const size = fc.oneof(
    fc.integer({ min: 1, max: 600 }).map((mib): Partition['size'] => mib * MIB - (mib % 7)),
    fc.integer({ min: 1, max: 600 }).map((mib): Partition['size'] => ({ min: mib * MIB })),
    fc.constant<Partition['size']>('rest'),
  );
  const filesystem = fc.constantFrom('ext4', 'xfs', 'btrfs', 'vfat', 'swap' as const);
  const partitions = fc.array(
    fc.record({ size, filesystem }).map((it) => partition(it.size, { filesystem: it.filesystem })),
    { minLength: 1, maxLength: 12 },
  );
  test('is aligned, in order, within the disk and honours every minimum; or the disk is too small', () => {
    fc.assert(
      fc.property(partitions, fc.integer({ min: 1, max: 8 * GIB }), (list, diskBytes) => {
        const layout = layOut(list, diskBytes);
        if (!layout.extents) {
          expect(layout.neededBytes).toBeGreaterThan(Math.floor(diskBytes / MIB) * MIB);
          return;
        }
        let end = MIB;
        layout.extents.forEach(({ offsetBytes, sizeBytes }, index) => {
          expect(offsetBytes).toBe(end);
          expect(sizeBytes % MIB).toBe(0);
          expect(sizeBytes).toBeGreaterThanOrEqual(minimumOf(list[index] ?? partition(1)));
          end += sizeBytes;
        });
        expect(end).toBeLessThanOrEqual(diskBytes - MIB);
        const elastic = list.some((it) => it.size === 'rest' || typeof it.size === 'object');
        if (elastic) expect(end).toBe(Math.floor(diskBytes / MIB) * MIB - MIB);
      }),
      { numRuns: 1000 },
    );
  });
  test('has a minimum for each filesystem', () => {
    expect(Object.values(MINIMUM_BYTES).every((bytes) => bytes >= MIB)).toBe(true);
  });
});
