import { describe, expect, test } from 'vitest';
import { digestOf } from '../../manifest/digest.ts';
import { checkLayers } from '../../manifest/plan.ts';
import { manifestSchema } from '../../manifest/schema/manifest.ts';
import { disk, facts, GIB, layer, MIRROR, planned, refused } from './samples.ts';

test('a profile that says nothing gives a complete manifest', () => {
  const { manifest, destroyed, manifestDigest } = planned(['']);
  expect(manifestSchema.parse(manifest)).toEqual(manifest);
  expect(JSON.parse(JSON.stringify(manifest))).toEqual(manifest);
  expect(manifestDigest).toBe(digestOf(manifest));
  expect(manifest.imageDigest).toBe(digestOf(manifest.image));
  expect(destroyed).toEqual([]);
  expect(manifest.inputs.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'layer defaults',
    'layer layer1.yaml',
    'facts 4c4c4544-0042-3510-8052-b4c04f4a4e32',
  ]);
  expect(manifest.storage.disk).toEqual({
    id: 'wwn:0x5000c500a1b2c3d4',
    sizeBytes: 100 * GIB,
    sectorBytes: 512,
  });
});

describe('the handoff', () => {
  const FILE = { kind: 'file', path: '/disk.img', sizeBytes: 100 * GIB } as const;
  const DEVICE = { kind: 'device', id: 'wwn:0x5000c500a1b2c3d4' } as const;
  const HERE = { kind: 'machine' } as const;
  test.each([
    ['virtual-machine', HERE],
    ['virtual-machine', DEVICE],
    ['reboot', DEVICE],
    ['poweroff', FILE],
  ])('%s is refused where it cannot be: %o', (action, target) => {
    const profile = `handoff: {action: ${action}}\nconfirmation: {wait: first-boot}`;
    const disks = target === FILE ? [disk({ id: 'file:/disk.img' })] : [disk()];
    const { lines } = refused([profile], { target, facts: facts({ disks }) });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('handoff.action: it is not possible where');
  });
  test('to a virtual machine that nobody waits for is refused: it would not run', () => {
    const { lines } = refused(['handoff: {action: virtual-machine}'], {
      target: FILE,
      facts: facts({ disks: [disk({ id: 'file:/disk.img' })] }),
    });
    expect(lines).toEqual([
      expect.stringContaining('confirmation.wait: a virtual machine is run for as long'),
    ]);
  });
});

describe('repositories', () => {
  test('without address use the mirror; security has one of its own', () => {
    const { manifest } = planned(['']);
    expect(manifest.image.repositories.map(({ uri, suites }) => [uri, suites])).toEqual([
      [MIRROR.archive, ['trixie', 'trixie-updates']],
      [MIRROR.security, ['trixie-security']],
    ]);
  });
  test('with an address keep it', () => {
    const { manifest } = planned(['image: {repositories: [{name: debian, uri: "https://other.example/d"}]}']);
    expect(manifest.image.repositories[0]?.uri).toBe('https://other.example/d');
  });
  test('without address and mirror are refused', () => {
    const { lines } = refused([''], { mirror: undefined } as never);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('image.repositories[0]: it has no uri');
  });
});

test('what will be destroyed is listed', () => {
  const contents = [
    { partition: 0, type: 'gpt' },
    { partition: 2, type: 'ext4', label: 'ho"me', sizeBytes: 500 * GIB },
  ];
  const { destroyed } = planned(['storage: {existingData: erase}'], {
    facts: facts({ disks: [disk({ contents })] }),
  });
  expect(destroyed.map(({ what }) => what)).toEqual([
    'whole disk: gpt',
    'partition 2: ext4 "ho\\"me", 500.0 GiB',
  ]);
});

describe('a machine that does not fit', () => {
  test('legacy BIOS', () => {
    const { kind, lines } = refused([''], {
      facts: facts({ firmware: { type: 'bios', basis: 'detected' } }),
    });
    expect(kind).toBe('FirmwareUnsupported');
    expect(lines.join()).toContain('legacy BIOS');
  });
  test('another architecture', () => {
    expect(refused([''], { facts: facts({ architecture: 'arm64' }) }).kind).toBe('ArchitectureMismatch');
  });
  test('no disk: the candidates and why each was rejected', () => {
    const { kind, candidates } = refused(['storage: {disk: {match: {serial: X}}}']);
    expect(kind).toBe('NoDisk');
    expect(candidates).toEqual([
      { id: 'wwn:0x5000c500a1b2c3d4', sizeBytes: 100 * GIB, rejected: ['has no serial, "X" is asked for'] },
    ]);
  });
});

test('the places of errors are those of the layer that said it last', () => {
  const { diagnostics } = refused([
    'storage:\n  partitions:\n  - label: root\n    size: 1G',
    'storage: {partitions: [{label: root, filesystem: vfat}]}',
  ]);
  expect(diagnostics.map(({ file, line, column }) => [file, line, column])).toEqual([['layer2.yaml', 3, 50]]);
});

describe('errors of all layers come at once', () => {
  test('with their files', () => {
    const { diagnostics } = refused(['imag: 1', 'storage: {disk: {limit: x}}']);
    expect(diagnostics.map(({ file, path }) => `${file} ${path}`)).toEqual([
      'layer1.yaml imag',
      'layer2.yaml storage.disk.limit',
    ]);
  });
  test('also without a machine', () => {
    expect(checkLayers([layer('imag: 1'), layer('storge: 1', 'role.yaml')]).map(({ file }) => file)).toEqual([
      'site.yaml',
      'role.yaml',
    ]);
    expect(checkLayers([layer('storage: {partitions: [{label: root, filesystem: vfat}]}')])).toHaveLength(1);
    expect(checkLayers([layer('')])).toEqual([]);
  });
});

describe('keys: only what depends on a change is done again', () => {
  const base = 'confirmation: {wait: first-boot}\nhandoff: {action: reboot}';
  const before = planned([base]).keys;
  test.each<[string, string, string[]]>([
    ['host name', 'machine: {hostname: other}', ['personalise']],
    ['users', 'machine: {users: [{name: a}]}', ['personalise']],
    ['network', 'machine: {network: [{name: eno1, dhcp: "yes"}]}', ['personalise']],
    [
      'mount options',
      'storage: {partitions: [{label: root, mountOptions: [noatime]}]}',
      ['personalise', 'bootloader'],
    ],
    ['packages', 'image: {packages: [nano]}', ['build']],
    ['revision', 'image: {revision: "2"}', ['build']],
    ['kernel options', 'image: {kernel: {cmdline: [debug]}}', ['build', 'bootloader']],
    ['size of a partition', 'storage: {partitions: [{label: esp, size: 1G}]}', ['partition']],
    ['filesystem of root', 'storage: {partitions: [{label: root, filesystem: xfs}]}', ['build', 'partition']],
    [
      'filesystem of home',
      'storage: {partitions: [{label: home, type: home, size: 1G}]}',
      ['partition', 'personalise'],
    ],
    ['handoff', 'handoff: {action: poweroff}', ['handoff']],
    ['patience', 'confirmation: {timeoutSeconds: 99}', ['confirm']],
    ['confirmation', 'confirmation: {wait: none}', ['personalise', 'confirm']],
    ['leave to erase', 'storage: {existingData: erase}', []],
    ['nothing', 'name: other', []],
  ])('%s', (_, body, expected) => {
    const after: Record<string, string> = planned([base, body]).keys;
    expect(Object.entries(before).flatMap(([phase, key]) => (after[phase] === key ? [] : [phase]))).toEqual(
      expected,
    );
  });
});

describe('the image part', () => {
  test('holds nothing of the machine', () => {
    const other = facts({
      machine: { id: 'other', serial: 'S' },
      disks: [disk({ id: 'wwn:other', sizeBytes: 50 * GIB })],
      network: [{ name: 'eth7', mac: '00:00:00:00:00:07', wireless: false }],
      memoryBytes: 1,
    });
    const body =
      'machine: {hostname: "{machine.serial}", users: [{name: root}], files: [{path: /etc/a, content: a}]}';
    expect(planned([body], { facts: other }).manifest.image).toEqual(planned(['']).manifest.image);
    expect(planned([body], { facts: other }).keys.build).toBe(planned(['']).keys.build);
  });

  test('is the same however layers arrange what has no order', () => {
    const a = 'image: {packages: [nano, vim], services: [{name: a1}], files: [{path: /a, content: x}]}';
    const b =
      'image: {packages: [vim, htop], services: [{name: b1.service}, {name: a1.service}], files: [{path: /b, content: y}]}';
    expect(planned([a, b]).manifest.imageDigest).toBe(planned([b, a]).manifest.imageDigest);
  });

  test('keeps the order of scripts and kernel options, which matters', () => {
    const script = (name: string) => `{name: ${name}, content: "#!/bin/sh"}`;
    const { image } = planned([
      `image: {scripts: [${script('z')}, ${script('a')}], kernel: {cmdline: [z=1, a=1]}}`,
    ]).manifest;
    expect(image.scripts.map(({ name }) => name)).toEqual(['z', 'a']);
    expect(image.kernel.cmdline).toEqual(['quiet', 'z=1', 'a=1']);
  });
});

test('secrets stay references', () => {
  const { manifest } = planned(['machine: {users: [{name: a, passwordHash: {secret: a-pw}}]}']);
  expect(manifest.machine.users[0]?.passwordHash).toEqual({ secret: 'a-pw' });
});
