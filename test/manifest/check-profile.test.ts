import { describe, expect, test } from 'vitest';
import { checkProfile } from '../../manifest/check-profile.ts';
import { formatDiagnostics } from '../../manifest/diagnostics.ts';
import { layer } from './samples.ts';

const check = (body: string) => checkProfile(layer(body).text, 'site.yaml');
const lines = (body: string): string => formatDiagnostics(check(body).diagnostics);

describe('accepts', () => {
  test.each([
    ['nothing but the head', ''],
    ['entries that hold their key only', 'storage: {partitions: [{label: root}]}'],
    [
      'sizes as numbers and texts',
      'storage: {partitions: [{label: a, size: 1048576}, {label: b, size: 1GiB}]}',
    ],
    [
      'removals',
      'image: {packages: [-nano], kernel: {cmdline: [-quiet]}, files: [{path: /a, remove: true}]}',
    ],
    ['a secret by reference', 'machine: {users: [{name: a, passwordHash: {secret: a-pw}}]}'],
    ['a crypt hash', 'machine: {users: [{name: a, passwordHash: $6$salt$abcDEF123./}]}'],
    [
      'addresses of both families',
      'machine: {network: [{name: a, addresses: [192.0.2.1/24, "2001:db8::1/64"]}]}',
    ],
  ])('%s', (_, body) => {
    expect(lines(body)).toBe('');
    expect(check(body).profile).toBeDefined();
  });
});

describe('refuses, saying where, what was found and what is allowed', () => {
  test.each([
    [
      'image: {pakages: [a]}',
      '3:9: image.pakages: unknown key; found "pakages"; allowed: distribution, release,',
      'did you mean "packages"?',
    ],
    [
      'storage: {disk: {match: {size: {mim: 1G}}}}',
      'storage.disk.match.size.mim: unknown key',
      'did you mean "min"?',
    ],
    [
      'storage: {partitions: [{label: a, size: {mn: 1G}}]}',
      'storage.partitions[0].size.mn: unknown key',
      'did you mean "min"?',
    ],
    [
      'storage: {partitions: [{label: a, size: 12Q}]}',
      'size: not one of the allowed forms; found "12Q"',
      'e.g. 512M, or a map of min, or "rest"',
    ],
    ['storage: {partitions: [{label: a, size: 0}]}', 'storage.partitions[0].size: ', 'found 0'],
    [
      'storage: {partitions: [{label: a, size: 9999999T}]}',
      'storage.partitions[0].size: ',
      'found "9999999T"',
    ],
    [
      'storage: {partitions: [{label: a, filesystem: ext5}]}',
      'found "ext5"; allowed: ext4, xfs, btrfs, vfat, swap',
      'did you mean "ext4"?',
    ],
    [
      'storage: {partitions: [{size: 1G}]}',
      'storage.partitions[0].label: is missing',
      'a label of at most 36',
    ],
    ['storage: {disk: {match: {transport: nvmee}}}', 'found "nvmee"', 'did you mean "nvme"?'],
    [
      'storage: {disk: {match: {transport: [sata, ubs]}}}',
      'transport[1]: not one of the allowed values',
      'did you mean "usb"?',
    ],
    ['storage: {disk: {limit: 0}}', 'storage.disk.limit: too small; found 0', 'at least 1'],
    [
      'storage: [a]',
      'storage: of the wrong type; found a list',
      'allowed: a map of disk, existingData, partitions',
    ],
    ['storage: null', 'storage: of the wrong type; found null', 'a map of disk'],
    [
      'image: {recommends: "yes"}',
      'image.recommends: of the wrong type; found "yes"',
      'allowed: true, false',
    ],
    [
      'image: {files: [{path: relative}]}',
      'image.files[0].path: not of the allowed form',
      'an absolute path',
    ],
    ['image: {files: [{path: /a/../b}]}', 'image.files[0].path: not of the allowed form', 'without . or ..'],
    ['image: {files: [{path: /a/}]}', 'image.files[0].path: not of the allowed form', 'an absolute path'],
    [
      'image: {files: [{path: /a, mode: 0644}]}',
      'image.files[0].mode: of the wrong type; found 644',
      'quoted',
    ],
    [
      'image: {kernel: {cmdline: ["a b"]}}',
      'image.kernel.cmdline[0]: not one of the allowed forms; found "a b"',
      'one kernel option',
    ],
    [
      'image: {repositories: [{name: a, key: "-----BEGIN"}]}',
      'image.repositories[0].key: not of the allowed form',
      'OpenPGP',
    ],
    [
      'machine: {network: [{name: interface-too-long}]}',
      'machine.network[0].name: not of the allowed form',
      'at most 15',
    ],
    [
      'machine: {network: [{name: a, addresses: [192.0.2.1]}]}',
      'addresses[0]: not one of the allowed forms; found "192.0.2.1"',
      'with prefix length',
    ],
    [
      'machine: {network: [{name: a, dhcp: true}]}',
      'machine.network[0].dhcp: not one of the allowed values; found true',
      'no, ipv4, ipv6, yes',
    ],
    [
      'machine: {users: [{name: a, fullName: "a:b"}]}',
      'fullName: not of the allowed form; found "a:b"',
      'without : or ,',
    ],
    [
      'machine: {users: [{name: a, sshKeys: [no]}]}',
      'sshKeys[0]: not of the allowed form',
      'an OpenSSH public key',
    ],
    [
      'machine: {users: [{name: a}, {name: b}, {name: a}]}',
      'machine.users[2].name: there is already an entry with this name in line 3',
      '"a"',
    ],
    [
      'image: {services: [{name: ssh}, {name: ssh.service}]}',
      'image.services[1].name: there is already an entry',
      '',
    ],
    [
      'image: {files: [{path: /a, content: x, source: y}]}',
      'image.files[0].source: there is `content` too',
      '',
    ],
    ['confirmation: {timeoutSeconds: 5}', 'confirmation.timeoutSeconds: too small; found 5', 'at least 10'],
  ])('%s', (body, expected, alsoExpected) => {
    const text = lines(body);
    expect(text).toContain('site.yaml:3:');
    expect(text).toContain(expected);
    expect(text).toContain(alsoExpected);
    expect(check(body).profile).toBeUndefined();
  });

  test.each(['', 'x', '[]', '5', 'null', '"text"'])('a document that is %j', (text) => {
    expect(checkProfile(text, 'x.yaml').diagnostics.length).toBeGreaterThan(0);
  });

  test('another kind and version', () => {
    const { diagnostics } = checkProfile('apiVersion: iguana/v2\nkind: Manifest\n', 'x.yaml');
    expect(formatDiagnostics(diagnostics)).toBe(
      'x.yaml:1:13: apiVersion: not one of the allowed values; found "iguana/v2"; allowed: "iguana/v1"; did you mean "iguana/v1"?\n' +
        'x.yaml:2:7: kind: not one of the allowed values; found "Manifest"; allowed: "Profile"',
    );
  });
});

test('all errors come at once, in the order of the file', () => {
  const { diagnostics } = check(
    [
      'image:',
      '  realease: trixie',
      '  packages: [Bad]',
      'storage:',
      '  disk: {limit: none}',
      '  partitions:',
      '    - {label: a, size: small}',
      '    - {label: a, type: rot}',
      'machine:',
      '  hostname: 5',
      'extra: true',
    ].join('\n'),
  );
  expect(diagnostics.map(({ line, path }) => `${line} ${path}`)).toEqual([
    '4 image.realease',
    '5 image.packages[0]',
    '7 storage.disk.limit',
    '9 storage.partitions[0].size',
    '10 storage.partitions[1].label',
    '10 storage.partitions[1].type',
    '12 machine.hostname',
    '13 extra',
  ]);
});

describe('never shows a secret', () => {
  test.each([
    'machine: {users: [{name: a, passwordHash: hunter2}]}',
    'machine: {users: [{name: a, passwordHash: {secret: HUNTER2 hunter2}}]}',
    'machine: {users: [{name: a, passwordHash: [hunter2]}]}',
    'machine: {users: [{name: a, password: hunter2}]}',
    'machine: {users: [{name: a, passwrodHash: hunter2}]}',
    'image: {repositories: [{name: a, uri: "http://user:hunter2@mirror.example/"}]}',
    'image: {repositories: [{name: a, suites: "http://user:hunter2@mirror.example/"}]}',
    'machine: {users: [{name: a, shell: [$6$hunter2$hunter2]}, {name: $6$hunter2$hunter2}]}',
    'machine: {users: [{name: a, passwordHash: "hunter2',
    'machine: {users: [{name: a, passwordHash: !hunter hunter2}]}',
  ])('%s', (body) => {
    const { diagnostics } = check(body);
    expect(diagnostics.length).toBeGreaterThan(0);
    expect(JSON.stringify(diagnostics)).not.toMatch(/hunter2/i);
  });
});

test('what reaches a terminal has no control characters', () => {
  const text = lines('image: {release: "\\u001b[31mred\\u202e\\u0085"}');
  expect(text).toContain('image.release: not of the allowed form');
  expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});
