/** Disks for machine cases. */
import type { MachineCaseInput } from './machine-case.ts';

/** Everything on its own partition; sizes as small as the test system fits. */
export const MANY_PARTITIONS: Pick<MachineCaseInput, 'sizeMiB' | 'partitions'> = {
  sizeMiB: 900,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 128, mountPoint: '/efi' },
    { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 320, mountPoint: '/' },
    { label: 'var', type: 'var', filesystem: 'xfs', sizeMiB: 320, mountPoint: '/var' },
    { label: 'log', type: 'linux-generic', filesystem: 'ext4', sizeMiB: 32, mountPoint: '/var/log' },
    {
      label: 'home',
      type: 'home',
      filesystem: 'ext4',
      sizeMiB: 32,
      mountPoint: '/home',
      mountOptions: ['nodev'],
    },
    { label: 'new', type: 'srv', filesystem: 'ext4', sizeMiB: 32, mountPoint: '/data/new place' },
    { label: 'swap', type: 'swap', filesystem: 'swap', sizeMiB: 16 },
  ],
};

/** The smallest that boots. */
export const TWO_PARTITIONS: Pick<MachineCaseInput, 'sizeMiB' | 'partitions'> = {
  sizeMiB: 500,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 128, mountPoint: '/efi' },
    { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 320, mountPoint: '/' },
  ],
};

/** An SSH public key that nobody has the other half of. */
export const SSH_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGx0ZXN0a2V5dGVzdGtleXRlc3RrZXl0ZXN0a2V5 test@example';

/** A crypt(5) hash of no known password. */
export const PASSWORD_HASH = `$6$testsalt$${'a'.repeat(86)}`;

/** A machine with something of everything. */
export const FULL_MACHINE = {
  hostname: 'web1.example.org',
  network: [
    { name: 'uplink', match: { name: 'en*' }, dhcp: 'yes' },
    { name: 'vlan7', vlan: { link: 'uplink', id: 7 }, addresses: ['192.0.2.7/24'] },
  ],
  groups: [{ name: 'ops', gid: 2000 }],
  users: [
    {
      name: 'alice',
      fullName: 'Alice Example',
      passwordHash: PASSWORD_HASH,
      sshKeys: [SSH_KEY],
      groups: ['ops', 'adm'],
      sudo: 'nopasswd',
    },
    { name: 'bob', uid: 1234, shell: '/bin/sh', passwordHash: { secret: 'bob' }, sudo: 'password' },
    { name: 'root', sshKeys: [SSH_KEY] },
  ],
  files: [
    { path: '/srv/app/config', content: 'for this machine\n', mode: '0640', owner: 'alice', group: 'ops' },
    { path: '/var/lib/app/blob', content: 'AAECAw==', encoding: 'base64', mode: '0600' },
    { path: '/etc/motd', content: 'hello\n' },
  ],
  firstBoot: [
    { name: 'first', content: '#!/bin/sh\necho one\n' },
    { name: 'second', content: '#!/bin/sh\nexit 3\n' },
  ],
};
