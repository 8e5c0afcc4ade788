/** Files for systemd-networkd, computed. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { networkFiles } from '../../../activities/personalise/network.ts';
import { interfaceSchema } from '../../../manifest/schema/machine.ts';

/** What the files say, as `key=value` of each section. */
function make(...interfaces: object[]): Record<string, string[]> {
  const files = networkFiles(z.array(interfaceSchema).parse(interfaces));
  return Object.fromEntries(
    [...files].map(([name, text]) => [
      name.replace('10-iguana-', ''),
      text.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    ]),
  );
}

test.each([
  [
    'DHCP on an interface by its name',
    [{ name: 'eth0', dhcp: 'yes' }],
    { 'eth0.network': ['[Match]', 'Name=eth0', '[Network]', 'DHCP=yes'] },
  ],
  [
    'an interface by MAC address and pattern',
    [{ name: 'up', match: { mac: '52:54:00:00:00:01', name: 'en*' }, dhcp: 'ipv4' }],
    {
      'up.network': [
        ...['[Match]', 'PermanentMACAddress=52:54:00:00:00:01', 'Name=en*'],
        ...['[Network]', 'DHCP=ipv4'],
      ],
    },
  ],
  [
    'static addresses of both kinds',
    [
      {
        name: 'eth0',
        addresses: ['192.0.2.10/24', '2001:db8::10/64'],
        gateway: ['192.0.2.1', '2001:db8::1'],
        dns: ['192.0.2.53', '2001:db8::53'],
        searchDomains: ['a.example', 'b.example'],
        mtu: 9000,
      },
    ],
    {
      'eth0.network': [
        ...['[Match]', 'Name=eth0', '[Link]', 'MTUBytes=9000', '[Network]', 'DHCP=no'],
        ...['Address=192.0.2.10/24', 'Address=2001:db8::10/64', 'Gateway=192.0.2.1', 'Gateway=2001:db8::1'],
        ...['DNS=192.0.2.53', 'DNS=2001:db8::53', 'Domains=a.example b.example'],
      ],
    },
  ],
  [
    'a VLAN on an interface without settings of its own',
    [{ name: 'vlan7', vlan: { link: 'eth0', id: 7 }, dhcp: 'yes' }],
    {
      'vlan7.netdev': ['[NetDev]', 'Name=vlan7', 'Kind=vlan', '[VLAN]', 'Id=7'],
      'vlan7.network': ['[Match]', 'Name=vlan7', '[Network]', 'DHCP=yes'],
      'eth0.network': [
        ...['[Match]', 'Name=eth0', '[Link]', 'RequiredForOnline=carrier'],
        ...['[Network]', 'DHCP=no', 'LinkLocalAddressing=no', 'VLAN=vlan7'],
      ],
    },
  ],
  [
    'a VLAN on a bond whose members are found by address',
    [
      { name: 'bond0', bond: { members: ['a', 'b'], mode: '802.3ad' } },
      { name: 'a', match: { mac: '52:54:00:00:00:0a' } },
      { name: 'vlan9', vlan: { link: 'bond0', id: 9 }, addresses: ['192.0.2.9/24'] },
    ],
    {
      'bond0.netdev': [
        '[NetDev]',
        'Name=bond0',
        'Kind=bond',
        '[Bond]',
        'Mode=802.3ad',
        'MIIMonitorSec=100ms',
      ],
      'bond0.network': [
        ...['[Match]', 'Name=bond0', '[Link]', 'RequiredForOnline=carrier'],
        ...['[Network]', 'DHCP=no', 'LinkLocalAddressing=no', 'VLAN=vlan9'],
      ],
      'a.network': [
        ...['[Match]', 'PermanentMACAddress=52:54:00:00:00:0a', '[Link]', 'RequiredForOnline=enslaved'],
        ...['[Network]', 'DHCP=no', 'LinkLocalAddressing=no', 'Bond=bond0'],
      ],
      'vlan9.netdev': ['[NetDev]', 'Name=vlan9', 'Kind=vlan', '[VLAN]', 'Id=9'],
      'vlan9.network': ['[Match]', 'Name=vlan9', '[Network]', 'DHCP=no', 'Address=192.0.2.9/24'],
      'b.network': [
        ...['[Match]', 'Name=b', '[Link]', 'RequiredForOnline=enslaved'],
        ...['[Network]', 'DHCP=no', 'LinkLocalAddressing=no', 'Bond=bond0'],
      ],
    },
  ],
])('%s', (_what, interfaces, files) => {
  expect(make(...interfaces)).toEqual(files);
});

test.each([
  ['a VLAN on itself', [{ name: 'v', vlan: { link: 'v', id: 1 } }], /v: it is built on itself/],
  ['a bond of itself', [{ name: 'b', bond: { members: ['b'] } }], /b: it is built on itself/],
  [
    'both VLAN and bond',
    [{ name: 'x', vlan: { link: 'eth0', id: 1 }, bond: { members: ['eth1'] } }],
    /x: it is both a VLAN and a bond/,
  ],
  [
    'a member of two bonds',
    [
      { name: 'b0', bond: { members: ['a'] } },
      { name: 'b1', bond: { members: ['a'] } },
    ],
    /a: both b0 and b1 have it/,
  ],
  [
    'a member with an address',
    [
      { name: 'b0', bond: { members: ['a'] } },
      { name: 'a', dhcp: 'yes' },
    ],
    /a: it is a member of b0/,
  ],
])('refuses %s', (_what, interfaces, message) => {
  expect(() => make(...interfaces)).toThrow(message);
});
