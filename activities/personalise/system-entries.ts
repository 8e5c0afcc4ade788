/** Host name, network, mounts and kernel command line of one machine. */
import type { Manifest } from '../../manifest/schema/manifest.ts';
import { kernelCommandLine } from '../bootloader/command-line.ts';
import { failure } from '../failures.ts';
import { type Entries, file, symlink } from './entry.ts';
import { type IdentifiedPartition, renderFstab } from './fstab.ts';
import { checkHostName, renderHosts } from './host-name.ts';
import { networkFiles } from './network.ts';
import type { PristineTree } from './pristine.ts';
import { enableUnit } from './units.ts';

const NETWORKD = 'systemd-networkd.service';
const RESOLVED = 'systemd-resolved.service';
/** Relative, as Debian's package makes it: it also leads to the right place when the root is mounted elsewhere. */
const STUB_RESOLVER = '../run/systemd/resolve/stub-resolv.conf';

/** @throws failure `PersonaliseFailed` where the name is no host name */
export async function hostNameEntries(image: PristineTree, hostname: string): Promise<Entries> {
  checkHostName(hostname);
  return new Map([
    ['/etc/hostname', file(`${hostname}\n`)],
    ['/etc/hosts', file(renderHosts(await image.text('/etc/hosts'), hostname))],
  ]);
}

/**
 * Files of systemd-networkd, and the links that enable it and, where the image has it, systemd-resolved.
 * @throws failure `PersonaliseFailed` where interfaces are given and the image has no systemd-networkd
 */
export async function networkEntries(
  image: PristineTree,
  interfaces: Manifest['machine']['network'],
): Promise<Entries> {
  const entries: Entries = new Map();
  if (interfaces.length === 0) return entries;
  for (const [name, content] of networkFiles(interfaces)) {
    entries.set(`/etc/systemd/network/${name}`, file(content));
  }
  const networkd = await enableUnit(image, NETWORKD);
  if (!networkd) {
    throw failure('PersonaliseFailed', `setting up the network: the image has no ${NETWORKD}`, {
      remedy: 'Use an image with systemd-networkd (package systemd), then amend.',
    });
  }
  for (const [path, entry] of networkd) entries.set(path, entry);
  for (const [path, entry] of await resolverEntries(image, interfaces)) entries.set(path, entry);
  return entries;
}

async function resolverEntries(
  image: PristineTree,
  interfaces: Manifest['machine']['network'],
): Promise<Entries> {
  const resolved = await enableUnit(image, RESOLVED);
  if (resolved) return new Map([...resolved, ['/etc/resolv.conf', symlink(STUB_RESOLVER)]]);
  const servers = interfaces.flatMap(({ dns }) => dns);
  if (servers.length === 0) return new Map();
  const domains = interfaces.flatMap(({ searchDomains }) => searchDomains);
  const lines = [
    ...servers.map((server) => `nameserver ${server}`),
    ...(domains.length > 0 ? [`search ${domains.join(' ')}`] : []),
  ];
  return new Map([['/etc/resolv.conf', file(`${lines.join('\n')}\n`)]]);
}

/** @returns fstab, and the command line that later kernel packages take over (kernel-install(8)) */
export async function mountEntries(
  image: PristineTree,
  manifest: Manifest,
  partitions: readonly IdentifiedPartition[],
  rootUuid: string,
): Promise<Entries> {
  return new Map([
    ['/etc/fstab', file(renderFstab(await image.text('/etc/fstab'), partitions))],
    ['/etc/kernel/cmdline', file(`${kernelCommandLine(manifest, rootUuid)}\n`)],
  ]);
}
