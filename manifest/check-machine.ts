/** Network and users that contradict themselves. */
import { BlockList, isIPv6 } from 'node:net';
import type { Path } from './located.ts';
import { type Complain, repeated } from './plan-context.ts';
import type { Facts } from './schema/facts.ts';
import type { CompleteProfile } from './schema/profile.ts';

type Interface = CompleteProfile['machine']['network'][number];

const at = (index: number, ...rest: Path): Path => ['machine', 'network', index, ...rest];

/** Judges the links of VLANs and bonds on a machine whose interfaces are known. */
export function checkLinks(
  { machine: { network } }: CompleteProfile,
  known: Facts['network'],
  complain: Complain,
): void {
  const names = new Set([...network, ...known].map(({ name }) => name));
  const require = (name: string, path: Path): void => {
    if (!names.has(name)) complain(path, 'there is no such interface', { allowed: [...names].join(', ') });
  };
  network.forEach(({ vlan, bond }, index) => {
    if (vlan) require(vlan.link, at(index, 'vlan', 'link'));
    bond?.members.forEach((member, position) => {
      require(member, at(index, 'bond', 'members', position));
    });
  });
}

/** Judges the network on its own. */
export function checkNetwork({ machine: { network } }: CompleteProfile, complain: Complain): void {
  network.forEach((settings, index) => {
    const { name, vlan, bond } = settings;
    if (vlan && bond) complain(at(index, 'bond'), 'an interface is either a VLAN or a bond');
    if (settings.match && (vlan || bond)) {
      complain(
        at(index, 'match'),
        'a VLAN or bond is made, so there is nothing to match; its name is `name`',
      );
    }
    if (vlan?.link === name) complain(at(index, 'vlan', 'link'), 'a VLAN cannot be on itself');
    checkAddresses(settings, index, complain);
    bond?.members.forEach((member, position) => {
      const path = at(index, 'bond', 'members', position);
      if (member === name) complain(path, 'a bond cannot be its own member');
      const own = network.find((it) => it.name === member);
      if (own && (own.addresses.length > 0 || own.dhcp !== 'no' || own.gateway.length > 0)) {
        complain(path, 'a member of a bond has no addresses, gateway or DHCP of its own; the bond has them');
      }
    });
  });
  checkRepetitions(network, complain);
}

function checkRepetitions(network: readonly Interface[], complain: Complain): void {
  const members = network.flatMap(({ bond }, index) =>
    (bond?.members ?? []).map((member, position) => ({
      member,
      path: at(index, 'bond', 'members', position),
    })),
  );
  for (const index of repeated(members, ({ member }) => member)) {
    complain(members[index]?.path ?? [], 'this interface is the member of a bond already');
  }
  for (const index of repeated(network, ({ vlan }) => vlan && `${vlan.link} ${vlan.id}`)) {
    complain(at(index, 'vlan', 'id'), 'this VLAN id is there already on the same link');
  }
  const addresses = network.flatMap((it, index) =>
    it.addresses.map((address, position) => ({ address, path: at(index, 'addresses', position) })),
  );
  for (const index of repeated(addresses, ({ address }) => address.split('/')[0])) {
    complain(addresses[index]?.path ?? [], 'another interface has this address already');
  }
}

function checkAddresses({ addresses, gateway, dhcp }: Interface, index: number, complain: Complain): void {
  const reachable = new BlockList();
  // A router announces itself by its link-local address (RFC 4861).
  reachable.addSubnet('fe80::', 10, 'ipv6');
  for (const address of addresses) {
    const [host = '', prefix = ''] = address.split('/');
    reachable.addSubnet(host, Number(prefix), familyOf(host));
  }
  gateway.forEach((router, position) => {
    const path = at(index, 'gateway', position);
    if (addresses.length === 0) {
      const message =
        dhcp === 'no'
          ? 'a gateway needs an address beside it'
          : 'with DHCP only, the gateway comes from the server';
      complain(path, message);
    } else if (!reachable.check(router, familyOf(router))) {
      complain(path, 'it is not within the network of any address', {
        allowed: `within ${addresses.join(', ')}`,
      });
    }
  });
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4');

/** Judges users and groups. */
export function checkUsers({ machine, image }: CompleteProfile, complain: Complain): void {
  const { users, groups } = machine;
  users.forEach(({ name, uid, sudo, passwordHash }, index) => {
    const path = ['machine', 'users', index];
    if (uid !== undefined && (uid === 0) !== (name === 'root')) {
      complain([...path, 'uid'], 'uid 0 is root, and root is uid 0');
    }
    if (sudo === 'no' || name === 'root') return;
    if (sudo === 'password' && passwordHash === undefined) {
      complain([...path, 'sudo'], 'the user has no passwordHash that sudo could ask for', {
        allowed: 'no, nopasswd',
      });
    }
    // What an image from elsewhere holds is known when its users are made.
    if (!image.from && !image.packages.some((it) => it === 'sudo' || it.startsWith('sudo-'))) {
      complain([...path, 'sudo'], 'the image has no sudo: add package sudo to image.packages');
    }
  });
  for (const index of repeated(users, ({ uid }) => uid)) {
    complain(['machine', 'users', index, 'uid'], 'another user has this uid already');
  }
  for (const index of repeated(groups, ({ gid }) => gid)) {
    complain(['machine', 'groups', index, 'gid'], 'another group has this gid already');
  }
}
