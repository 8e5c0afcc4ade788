import { describe, expect, test } from 'vitest';
import { matchesGlob } from '../../manifest/disk-match.ts';
import type { PlanTarget } from '../../manifest/plan-types.ts';
import type { DiskFacts } from '../../manifest/schema/facts.ts';
import type { CompleteProfile } from '../../manifest/schema/profile.ts';
import { selectDisk } from '../../manifest/select-disk.ts';
import { disk, GIB } from './samples.ts';

type Choice = CompleteProfile['storage']['disk'];
const MACHINE: PlanTarget = { kind: 'machine' };

function select(
  disks: readonly DiskFacts[],
  choice: Partial<Choice> = {},
  {
    existingData = 'refuse',
    target = MACHINE,
  }: { existingData?: 'refuse' | 'erase'; target?: PlanTarget } = {},
) {
  const selection = selectDisk(disks, { match: {}, order: [], ...choice }, existingData, target);
  return { ...selection, answer: selection.disk ? selection.disk.id : selection.problem };
}

const ssd = disk({ id: 'wwn:ssd', serial: 'SSD1', transport: 'nvme', sizeBytes: 500 * GIB });
const hdd = disk({ id: 'wwn:hdd', serial: 'HDD1', rotational: true, sizeBytes: 4000 * GIB });
const stick = disk({ id: 'serial:stick', transport: 'usb', removable: true, sizeBytes: 16 * GIB });
const DATA = [{ partition: 1, type: 'ext4', label: 'home', sizeBytes: 50 * GIB }];

describe('takes', () => {
  test.each<[string, DiskFacts[], Partial<Choice>, string]>([
    ['the only disk', [ssd], {}, 'wwn:ssd'],
    ['by transport', [ssd, hdd], { match: { transport: 'nvme' } }, 'wwn:ssd'],
    [
      'by one of several transports',
      [ssd, hdd, stick],
      { match: { transport: ['nvme', 'virtio'] } },
      'wwn:ssd',
    ],
    ['by serial, whatever its case', [ssd, hdd], { match: { serial: 'hdd1' } }, 'wwn:hdd'],
    ['by a pattern', [ssd, hdd], { match: { serial: 'H?D*' } }, 'wwn:hdd'],
    ['by size', [ssd, hdd, stick], { match: { size: { min: '100G', max: '1T' } } }, 'wwn:ssd'],
    ['by rotation', [ssd, hdd], { match: { rotational: true } }, 'wwn:hdd'],
    ['the smallest', [hdd, ssd], { order: ['size'], limit: 1 }, 'wwn:ssd'],
    ['the largest', [ssd, hdd], { order: ['-size'], limit: 1 }, 'wwn:hdd'],
    ['the fastest', [stick, hdd, ssd], { order: ['transport'], limit: 1 }, 'wwn:ssd'],
    ['by identity where nothing else orders', [ssd, hdd], { limit: 1 }, 'wwn:hdd'],
    ['the one beside the install medium', [{ ...stick, installMedium: true }, ssd], {}, 'wwn:ssd'],
    ['the one beside a read-only one', [{ ...stick, readOnly: true }, ssd], {}, 'wwn:ssd'],
    ['the one beside an empty card reader', [{ ...stick, sizeBytes: 0 }, ssd], {}, 'wwn:ssd'],
  ])('%s', (_, disks, choice, id) => {
    expect(select(disks, choice).answer).toBe(id);
    expect(select([...disks].reverse(), choice).answer).toBe(id);
  });

  test('a disk with data where it may be erased', () => {
    expect(select([{ ...ssd, contents: DATA }], {}, { existingData: 'erase' }).answer).toBe('wwn:ssd');
  });
});

describe('refuses', () => {
  test.each<[string, DiskFacts[], Partial<Choice>, string, string]>([
    ['where there is no disk', [], {}, 'NoDisk', ''],
    // kiwi#2042: the only disk was used although the given id did not match.
    [
      'the only disk when its id is another',
      [ssd],
      { match: { id: 'wwn:other' } },
      'NoDisk',
      'id is "wwn:ssd"',
    ],
    ['a disk that does not tell its serial', [disk()], { match: { serial: 'X' } }, 'NoDisk', 'has no serial'],
    [
      'a disk that does not tell what * asks for',
      [disk()],
      { match: { model: '*' } },
      'NoDisk',
      'has no model',
    ],
    // talos#12370: of several disks one was guessed.
    ['several that match', [ssd, hdd], {}, 'DiskAmbiguous', ''],
    ['several under a limit of several', [ssd, hdd], { limit: 2 }, 'DiskAmbiguous', ''],
    ['several, also when only one is empty', [ssd, { ...hdd, contents: DATA }], {}, 'DiskAmbiguous', 'home'],
    // kiwi#1983: the installer overwrote its own USB stick.
    ['the install medium', [{ ...stick, installMedium: true }], {}, 'DiskIsInstallMedium', 'started from'],
    [
      'the install medium, asked for by name',
      [ssd, { ...stick, installMedium: true }],
      { match: { id: 'serial:stick' } },
      'DiskIsInstallMedium',
      'started from',
    ],
    // agama#2979: installing onto the disk that the system runs from.
    ['a mounted disk', [{ ...ssd, holders: ['mount:/'] }], {}, 'DiskInUse', 'mount:/'],
    [
      'a disk with data',
      [{ ...ssd, contents: DATA }],
      {},
      'DiskHasData',
      'partition 1: ext4 "home", 50.0 GiB',
    ],
    ['a read-only disk', [{ ...ssd, readOnly: true }], {}, 'DiskReadOnly', 'read-only'],
    [
      'a disk that only its kernel name tells',
      [{ ...ssd, id: 'path:sda' }],
      {},
      'DiskUnidentified',
      'no fixed place',
    ],
    ['an empty card reader', [{ ...stick, sizeBytes: 0 }], {}, 'NoDisk', 'no medium'],
    // talos#11255, kairos#2243: another disk is taken than the one that is meant.
    [
      'the largest when it is in use, instead of taking the next',
      [ssd, { ...hdd, holders: ['md:md0'] }],
      { order: ['-size'], limit: 1 },
      'DiskInUse',
      'md:md0',
    ],
    [
      'the largest when it has data, instead of taking the next',
      [ssd, { ...hdd, contents: DATA }],
      { order: ['-size'], limit: 1 },
      'DiskHasData',
      'home',
    ],
  ])('%s', (_, disks, choice, problem, reason) => {
    const { answer, candidates } = select(disks, choice);
    expect(answer).toBe(problem);
    expect(candidates.map(({ id }) => id)).toEqual(disks.map(({ id }) => id));
    expect(candidates.flatMap(({ rejected }) => rejected).join('; ')).toContain(reason);
  });

  test('with every reason of a disk', () => {
    const { candidates } = select([
      { ...ssd, readOnly: true, holders: ['swap'], contents: DATA, installMedium: true },
    ]);
    expect(candidates[0]?.rejected).toHaveLength(4);
  });

  test('bytes that nobody knows are data', () => {
    expect(select([{ ...ssd, contents: [{ partition: 0, type: 'unknown' }] }]).answer).toBe('DiskHasData');
  });
});

describe('under a given device', () => {
  const target: PlanTarget = { kind: 'device', id: 'wwn:hdd' };
  test('takes it and looks at no other', () => {
    expect(select([ssd, hdd], {}, { target }).answer).toBe('wwn:hdd');
  });
  test('still asks for the conditions of the profile', () => {
    const { answer, candidates } = select([ssd, hdd], { match: { rotational: false } }, { target });
    expect(answer).toBe('NoDisk');
    expect(candidates[1]?.rejected).toEqual(['rotational is true, not false']);
  });
  test('does not take another one when it is missing', () => {
    expect(select([ssd], {}, { target }).answer).toBe('NoDisk');
  });
  test('names the reason when it cannot be taken', () => {
    expect(select([ssd, { ...hdd, holders: ['mount:/srv'] }], {}, { target }).answer).toBe('DiskInUse');
  });
});

describe('under a disk image', () => {
  const image = disk({ id: 'file:/a.img', transport: 'file', sizeBytes: 8 * GIB });
  const target: PlanTarget = { kind: 'file', path: '/a.img', sizeBytes: 8 * GIB };
  test('does not ask for what a file cannot have', () => {
    expect(
      select([image], { match: { transport: 'nvme', serial: 'X', rotational: false } }, { target }).answer,
    ).toBe('file:/a.img');
  });
  test('asks for the size', () => {
    expect(select([image], { match: { size: { min: '9G' } } }, { target }).answer).toBe('NoDisk');
  });
  test('does not overwrite what is in it', () => {
    expect(select([{ ...image, contents: DATA }], {}, { target }).answer).toBe('DiskHasData');
  });
});

test.each([
  ['Samsung SSD 990', 'samsung*', true],
  ['Samsung SSD 990', '*990', true],
  ['Samsung SSD 990', '*SSD?99*', true],
  ['Samsung', 'Sams', false],
  ['Samsung', '', false],
  ['', '*', true],
  ['a.c', 'a?c', true],
  ['abc', 'a.c', false],
  ['a'.repeat(5000), `${'*a'.repeat(100)}b`, false],
])('pattern: %s %s', (text, pattern, expected) => {
  expect(matchesGlob(text, pattern)).toBe(expected);
});
