import { describe, expect, test } from 'vitest';
import { makeHostname } from '../../manifest/hostname.ts';
import { facts, planned, refused } from './samples.ts';

const network = (...entries: string[]): string => `machine: {network: [${entries.join(', ')}]}`;
const users = (...entries: string[]): string => `machine: {users: [${entries.join(', ')}]}`;

describe('a machine part that contradicts itself is found at planning', () => {
  test.each([
    [
      'a VLAN on nothing',
      network('{name: v, vlan: {link: eno9, id: 5}}'),
      'machine.network[0].vlan.link: there is no such interface',
    ],
    ['a VLAN on itself', network('{name: v, vlan: {link: v, id: 5}}'), 'a VLAN cannot be on itself'],
    [
      'a VLAN that is a bond',
      network('{name: v, vlan: {link: eno1, id: 5}, bond: {members: [eno1]}}'),
      'an interface is either a VLAN or a bond',
    ],
    [
      'a VLAN twice',
      network('{name: a, vlan: {link: eno1, id: 5}}', '{name: b, vlan: {link: eno1, id: 5}}'),
      'machine.network[1].vlan.id: this VLAN id is there already',
    ],
    [
      'a bond of nothing',
      network('{name: b, bond: {members: [eno1, eno9]}}'),
      'machine.network[0].bond.members[1]: there is no such interface',
    ],
    ['a bond of itself', network('{name: b, bond: {members: [b]}}'), 'a bond cannot be its own member'],
    [
      'a member of two bonds',
      network('{name: a, bond: {members: [eno1]}}', '{name: b, bond: {members: [eno1]}}'),
      'machine.network[1].bond.members[0]: this interface is the member of a bond already',
    ],
    [
      'a member with addresses',
      network('{name: b, bond: {members: [eno1]}}', '{name: eno1, dhcp: "yes"}'),
      'a member of a bond has no addresses',
    ],
    [
      'a bond that is matched',
      network('{name: b, bond: {members: [eno1]}, match: {name: "b*"}}'),
      'machine.network[0].match: ',
    ],
    [
      'a gateway alone',
      network('{name: eno1, gateway: [192.0.2.1]}'),
      'a gateway needs an address beside it',
    ],
    [
      'a gateway beside DHCP',
      network('{name: eno1, dhcp: "yes", gateway: [192.0.2.1]}'),
      'the gateway comes from the server',
    ],
    [
      'a gateway elsewhere',
      network('{name: eno1, addresses: [192.0.2.10/24], gateway: [198.51.100.1]}'),
      'it is not within the network of any address',
    ],
    [
      'a gateway of the other family',
      network('{name: eno1, addresses: [192.0.2.10/24], gateway: ["2001:db8::1"]}'),
      'it is not within the network of any address',
    ],
    [
      'an address twice',
      network(
        '{name: eno1, addresses: [192.0.2.10/24]}',
        '{name: a, vlan: {link: eno1, id: 5}, addresses: [192.0.2.10/25]}',
      ),
      'another interface has this address already',
    ],
    [
      'a uid twice',
      users('{name: a, uid: 1000}', '{name: b, uid: 1000}'),
      'machine.users[1].uid: another user has this uid already',
    ],
    ['a second root', users('{name: a, uid: 0}'), 'uid 0 is root'],
    ['a root with another uid', users('{name: root, uid: 7}'), 'uid 0 is root'],
    [
      'a gid twice',
      'machine: {groups: [{name: a, gid: 5}, {name: b, gid: 5}]}',
      'another group has this gid already',
    ],
    [
      'sudo with a password that is not there',
      `image: {packages: [sudo]}\n${users('{name: a, sudo: password}')}`,
      'the user has no passwordHash',
    ],
    ['sudo without the package', users('{name: a, sudo: nopasswd}'), 'the image has no sudo'],
    ['a file of nothing', 'machine: {files: [{path: /a}]}', 'machine.files[0]: neither content nor source'],
    [
      'a source that was not read',
      'image: {files: [{path: /a, source: b}]}',
      'the file was not read in before planning',
    ],
    [
      'a file that is no base64',
      'machine: {files: [{path: /a, content: "%%%", encoding: base64}]}',
      'it is not base64',
    ],
    [
      'a script without interpreter',
      'machine: {firstBoot: [{name: a, content: "echo"}]}',
      'a script begins with #!',
    ],
    ['root= in the command line', 'image: {kernel: {cmdline: [root=LABEL=x]}}', 'Iguana itself adds root='],
    [
      'no repositories',
      'image: {repositories: [{name: debian, remove: true}, {name: debian-security, remove: true}]}',
      'there is no repository',
    ],
  ])('%s', (_, body, expected) => {
    const { kinds, lines } = refused([body]);
    expect(kinds).toEqual(['ProfileInvalid']);
    expect(lines.join('\n')).toContain(expected);
  });

  test('and all at once, beside what is wrong with storage and disk', () => {
    const { kinds, kind, lines } = refused([
      `${network('{name: v, vlan: {link: v, id: 5}, gateway: [192.0.2.1]}')}\nstorage: {disk: {match: {serial: X}}, partitions: [{label: root, filesystem: vfat}]}`,
    ]);
    expect(lines).toHaveLength(4);
    expect(kind).toBe('ProfileInvalid');
    expect(kinds.toSorted()).toEqual(['NoDisk', 'ProfileInvalid', 'StorageImpossible']);
  });
});

describe('what is right', () => {
  test.each([
    [
      'a router by its link-local address',
      network('{name: eno1, addresses: ["2001:db8::5/64"], gateway: ["fe80::1"]}'),
    ],
    [
      'a VLAN on a bond on an interface of the machine',
      network('{name: b, bond: {members: [eno1]}}', '{name: v, vlan: {link: b, id: 7}, dhcp: "yes"}'),
    ],
    ['an interface by pattern', network('{name: any, match: {name: "en*"}, dhcp: "yes"}')],
    ['base64 in lines', 'machine: {files: [{path: /a, content: "aGVs\\nbG8=\\n", encoding: base64}]}'],
    ['root with a key', users('{name: root, uid: 0, sshKeys: [ssh-ed25519 AAAA]}')],
  ])('%s', (_, body) => {
    expect(planned([body]).ok).toBe(true);
  });

  test('interfaces of a machine that is not here are not asked for', () => {
    const target = { kind: 'file', path: '/a.img', sizeBytes: 1 } as const;
    const [disk] = facts().disks;
    const here = { ...facts(), network: [], disks: disk ? [{ ...disk, id: 'file:/a.img' }] : [] };
    expect(planned([network('{name: v, vlan: {link: eno9, id: 5}}')], { target, facts: here }).ok).toBe(true);
  });
});

describe('host names', () => {
  test.each([
    ['web-1.example.com', 'web-1.example.com'],
    ['srv-{machine.serial}', 'srv-b5r4jn2'],
    ['{machine.product}-{network.macShort}', 'poweredge-r640-abcdef'],
    ['{network.mac}', '525400abcdef'],
    ['iguana-{machine.short}', 'iguana-4f4a4e32'],
    ['{machine.id}', '4c4c4544-0042-3510-8052-b4c04f4a4e32'],
  ])('%s', (template, name) => {
    expect(makeHostname(template, facts())).toEqual({ name, problems: [] });
  });

  test.each([
    ['', 'not a host name'],
    ['Web', 'not a host name'],
    ['a_b', 'not a host name'],
    ['-a', 'not a host name'],
    ['a-', 'not a host name'],
    ['a..b', 'not a host name'],
    ['192.0.2.1', 'not a host name'],
    ['a'.repeat(64), 'not a host name'],
    [`${'a'.repeat(40)}.${'b'.repeat(40)}`, 'not a host name'],
    ['{machine.id', 'not a host name'],
    ['{machine.uuid}', 'this machine does not tell that fact'],
    ['{machine.serail}', 'no such fact'],
    ['{constructor}', 'no such fact'],
    ['{}', 'no such fact'],
  ])('not %s', (template, message) => {
    expect(makeHostname(template, facts()).problems.map((it) => it.message)).toEqual([message]);
  });

  test('the wired interface with the lowest address counts, in any order of interfaces', () => {
    const cards = [
      { name: 'wlan0', mac: '00:00:00:00:00:01', wireless: true },
      { name: 'eth1', mac: '00:00:00:00:00:03', wireless: false },
      { name: 'eth0', mac: '00:00:00:00:00:02', wireless: false },
    ];
    for (const list of [cards, cards.toReversed()]) {
      expect(makeHostname('m{network.mac}', facts({ network: list })).name).toBe('m000000000002');
    }
  });
});
