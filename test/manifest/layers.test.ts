import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkProfile } from '../../manifest/check-profile.ts';
import { mergeLayers } from '../../manifest/layers.ts';
import { nodeAt, toValue } from '../../manifest/located.ts';
import { layer, planned, refused } from './samples.ts';

/** Merges layers without the defaults. */
function mergedRoot(...bodies: string[]) {
  return mergeLayers(
    bodies.map((body, index) => {
      const { root, diagnostics } = checkProfile(layer(body).text, `layer${index + 1}`);
      if (!root) throw new Error(JSON.stringify(diagnostics));
      return root;
    }),
  );
}

function merged(...bodies: string[]): Record<string, unknown> {
  const {
    apiVersion: _version,
    kind: _kind,
    ...rest
  } = toValue(mergedRoot(...bodies)) as Record<string, unknown>;
  return rest;
}

describe('merges', () => {
  test.each([
    [
      'values: the later wins',
      ['image: {locale: a, keyboard: us}', 'image: {locale: b}'],
      'image: {locale: b, keyboard: us}',
    ],
    [
      'one field of a keyed entry, which keeps its place',
      [
        'storage: {partitions: [{label: a, size: 1G, type: root}, {label: b}]}',
        'storage: {partitions: [{label: c}, {label: a, size: 2G}]}',
      ],
      'storage: {partitions: [{label: a, size: 2G, type: root}, {label: b}, {label: c}]}',
    ],
    [
      'removals, and an entry that is given anew later',
      [
        'machine: {users: [{name: a, uid: 5}, {name: b}]}',
        'machine: {users: [{name: a, remove: true}]}',
        'machine: {users: [{name: a}]}',
      ],
      'machine: {users: [{name: b}, {name: a}]}',
    ],
    [
      'removals of what is not there',
      ['image: {files: [{path: /a, remove: true}], packages: [-aa]}'],
      'image: {files: [], packages: []}',
    ],
    [
      'packages as a union in order',
      ['image: {packages: [b1, a1, b1]}', 'image: {packages: [c1, a1, -b1]}', 'image: {packages: [b1]}'],
      'image: {packages: [a1, c1, b1]}',
    ],
    [
      'kernel options as a union; one option may be there with two values',
      [
        'image: {kernel: {cmdline: [quiet, console=tty0]}}',
        'image: {kernel: {cmdline: [-quiet, console=ttyS0]}}',
      ],
      'image: {kernel: {cmdline: [console=tty0, console=ttyS0]}}',
    ],
    [
      'other lists as a whole',
      [
        'machine: {network: [{name: a, dns: [192.0.2.1, 192.0.2.2], mtu: 1500}]}',
        'machine: {network: [{name: a, dns: [192.0.2.3]}]}',
      ],
      'machine: {network: [{name: a, dns: [192.0.2.3], mtu: 1500}]}',
    ],
    [
      'sizes of another form',
      [
        'storage: {partitions: [{label: a, size: {min: 1G}}]}',
        'storage: {partitions: [{label: a, size: rest}]}',
      ],
      'storage: {partitions: [{label: a, size: rest}]}',
    ],
    [
      'conditions for the disk, all of which must hold',
      [
        'storage: {disk: {match: {serial: A, size: {min: 1G}}}}',
        'storage: {disk: {match: {size: {max: 9G}}}}',
      ],
      'storage: {disk: {match: {serial: A, size: {min: 1G, max: 9G}}}}',
    ],
    [
      'a hash by a secret, and back',
      [
        'machine: {users: [{name: a, passwordHash: {secret: x}}]}',
        'machine: {users: [{name: a, passwordHash: {secret: y1}}]}',
      ],
      'machine: {users: [{name: a, passwordHash: {secret: y1}}]}',
    ],
    [
      'content replaces source and its encoding',
      [
        'image: {files: [{path: /a, source: s, mode: "0600"}, {path: /b, content: aGk=, encoding: base64}]}',
        'image: {files: [{path: /a, content: c}, {path: /b, content: hi}]}',
      ],
      'image: {files: [{path: /a, mode: "0600", content: c}, {path: /b, content: hi}]}',
    ],
    [
      'units with and without suffix as one',
      [
        'image: {services: [{name: ssh.service, state: masked}]}',
        'image: {services: [{name: ssh, state: enabled}]}',
      ],
      'image: {services: [{name: ssh, state: enabled}]}',
    ],
  ])('%s', (_, bodies, expected) => {
    expect(merged(...bodies)).toEqual(parse(expected));
  });

  test('and keeps where each value came from', () => {
    const root = mergedRoot(
      'storage:\n  partitions:\n    - label: a\n      size: 1G\n      type: root\n',
      'storage:\n  partitions:\n    - {label: a, size: 2G}\n',
    );
    expect(nodeAt(root, ['storage', 'partitions', 0, 'size'])?.at).toMatchObject({ file: 'layer2', line: 5 });
    expect(nodeAt(root, ['storage', 'partitions', 0, 'type'])?.at).toMatchObject({ file: 'layer1', line: 7 });
  });
});

test('defaults of fields do not win over an earlier layer', () => {
  const { manifest } = planned([
    'machine: {network: [{name: eno1, dhcp: "yes"}], users: [{name: a, shell: /bin/sh}]}',
    'machine: {network: [{name: eno1, mtu: 1400}], users: [{name: a, uid: 1500}]}',
  ]);
  expect(manifest.machine.network[0]).toMatchObject({ dhcp: 'yes', mtu: 1400, dns: [] });
  expect(manifest.machine.users[0]).toMatchObject({ shell: '/bin/sh', uid: 1500, sudo: 'no' });
});

test('an entry that stays incomplete is named with the file that began it', () => {
  const { diagnostics, kind } = refused([
    'storage:\n  partitions:\n    - {label: data, filesystem: xfs}\n',
    'image: {repositories: [{name: own}]}',
  ]);
  expect(kind).toBe('ProfileInvalid');
  expect(diagnostics.map(({ file, line, path, message }) => `${file}:${line} ${path} ${message}`)).toEqual([
    'layer2.yaml:3 image.repositories[2].suites is missing',
    'layer2.yaml:3 image.repositories[2].key is missing',
    'layer1.yaml:5 storage.partitions[2].type is missing',
    'layer1.yaml:5 storage.partitions[2].size is missing',
  ]);
});
