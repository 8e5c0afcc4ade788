/** Network settings for systemd-networkd; see systemd.network(5) and systemd.netdev(5). */
import type { Manifest } from '../../manifest/schema/manifest.ts';
import { failure } from '../failures.ts';

type Interface = Manifest['machine']['network'][number];

/** Files by name, below /etc/systemd/network. */
export type NetworkFiles = ReadonlyMap<string, string>;

/** What one interface carries for others. */
interface Links {
  readonly vlans: string[];
  bond?: string;
}

/**
 * The files for a list of interfaces. Interfaces that VLANs and bonds are built on, and that have no settings of their
 * own, get a file too.
 * @throws failure `PersonaliseFailed` where the list contradicts itself
 */
export function networkFiles(interfaces: readonly Interface[]): NetworkFiles {
  const links = collectLinks(interfaces);
  const files = new Map<string, string>();
  for (const settings of interfaces) {
    const { name } = settings;
    const own = links.get(name);
    if (settings.vlan && settings.bond) {
      throw failure('PersonaliseFailed', `setting up interface ${name}: it is both a VLAN and a bond`);
    }
    if (own?.bond !== undefined) checkMember(settings, own.bond);
    if (settings.vlan || settings.bond) files.set(`10-iguana-${name}.netdev`, netdev(settings));
    files.set(`10-iguana-${name}.network`, network(settings, own));
  }
  const named = new Set(interfaces.map(({ name }) => name));
  for (const [name, own] of links) {
    if (!named.has(name)) files.set(`10-iguana-${name}.network`, network(bare(name), own));
  }
  return files;
}

function collectLinks(interfaces: readonly Interface[]): Map<string, Links> {
  const links = new Map<string, Links>();
  const of = (name: string): Links => {
    const known = links.get(name) ?? { vlans: [] };
    links.set(name, known);
    return known;
  };
  for (const { name, vlan, bond } of interfaces) {
    if (vlan?.link === name || bond?.members.includes(name)) {
      throw failure('PersonaliseFailed', `setting up interface ${name}: it is built on itself`);
    }
    if (vlan) of(vlan.link).vlans.push(name);
    for (const member of bond?.members ?? []) {
      const carried = of(member);
      if (carried.bond !== undefined) {
        throw failure(
          'PersonaliseFailed',
          `setting up interface ${member}: both ${carried.bond} and ${name} have it as a member`,
        );
      }
      carried.bond = name;
    }
  }
  return links;
}

/** The kernel takes a member's traffic away: addresses on it would never answer. */
function checkMember(settings: Interface, bond: string): void {
  if (settings.dhcp === 'no' && settings.addresses.length === 0 && settings.gateway.length === 0) return;
  throw failure(
    'PersonaliseFailed',
    `setting up interface ${settings.name}: it is a member of ${bond} and cannot have addresses of its own`,
  );
}

function bare(name: string): Interface {
  return { name, dhcp: 'no', addresses: [], gateway: [], dns: [], searchDomains: [] };
}

function netdev({ name, vlan, bond, mtu }: Interface): string {
  const sections: Section[] = [
    ['NetDev', [['Name', name], ['Kind', vlan ? 'vlan' : 'bond'], ...(mtu ? [pair('MTUBytes', mtu)] : [])]],
  ];
  if (vlan) sections.push(['VLAN', [pair('Id', vlan.id)]]);
  if (bond) {
    sections.push(['Bond', [pair('Mode', bond.mode), pair('MIIMonitorSec', `${bond.miiMonitorMs}ms`)]]);
  }
  return render(sections);
}

function network(settings: Interface, links: Links | undefined): string {
  const { name, match, mtu } = settings;
  const isVirtual = settings.vlan !== undefined || settings.bond !== undefined;
  const isMember = links?.bond !== undefined;
  const hasAddresses = settings.dhcp !== 'no' || settings.addresses.length > 0;
  const matches: Pair[] = [];
  if (match?.mac && !isVirtual) matches.push(['PermanentMACAddress', match.mac]);
  if (match?.name && !isVirtual) matches.push(['Name', match.name]);
  if (matches.length === 0) matches.push(['Name', name]);
  const sections: Section[] = [['Match', matches]];
  // A member or carrier has no address of its own: being online is asked of what is built on it.
  const link: Pair[] = [...(mtu ? [pair('MTUBytes', mtu)] : [])];
  if (!hasAddresses) link.push(['RequiredForOnline', isMember ? 'enslaved' : 'carrier']);
  if (link.length > 0) sections.push(['Link', link]);
  sections.push([
    'Network',
    [
      ['DHCP', settings.dhcp],
      ...(isMember || !hasAddresses ? [pair('LinkLocalAddressing', 'no')] : []),
      ...(links?.vlans ?? []).map((vlan) => pair('VLAN', vlan)),
      ...(links?.bond === undefined ? [] : [pair('Bond', links.bond)]),
      ...settings.addresses.map((address) => pair('Address', address)),
      ...settings.gateway.map((gateway) => pair('Gateway', gateway)),
      ...settings.dns.map((server) => pair('DNS', server)),
      ...(settings.searchDomains.length > 0 ? [pair('Domains', settings.searchDomains.join(' '))] : []),
    ],
  ]);
  return render(sections);
}

type Pair = readonly [key: string, value: string];
type Section = readonly [name: string, pairs: readonly Pair[]];

const pair = (key: string, value: string | number): Pair => [key, String(value)];

function render(sections: readonly Section[]): string {
  const text = sections.map(([name, pairs]) =>
    [`[${name}]`, ...pairs.map(([key, value]) => `${key}=${value}`), ''].join('\n'),
  );
  return `# Written by Iguana from machine.network.\n${text.join('\n')}`;
}
