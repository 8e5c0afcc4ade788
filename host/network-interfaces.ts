/** Network interfaces that are hardware. */
import { readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { attribute } from './disk-identity.ts';

/** A physical network interface. */
export interface PhysicalInterface {
  readonly name: string;
  /** In lower case, with colons. */
  readonly mac: string;
  readonly driver?: string;
  readonly speedMbps?: number;
  readonly wireless: boolean;
}

/**
 * Interfaces with a device behind them, which bridges, veth pairs, VLANs, bonds, tunnels and the loopback have not.
 * In the order of their places on the buses: names depend on who gives them.
 */
export async function physicalInterfaces(sys = '/sys'): Promise<PhysicalInterface[]> {
  const found: { place: string; facts: PhysicalInterface }[] = [];
  for (const name of await readdir(join(sys, 'class/net'))) {
    const folder = join(sys, 'class/net', name);
    const place = await target(join(folder, 'device'));
    const mac = await attribute(folder, 'address');
    // Of a bond's members each shows the bond's address; their own is kept beside it.
    const own = (await attribute(folder, 'bonding_slave/perm_hwaddr')) ?? mac;
    if (!place || !own || /^(00:){5}00$/.test(own)) continue;
    const driver = await target(join(folder, 'device/driver'));
    const speed = Number(await attribute(folder, 'speed'));
    const wireless = (await target(join(folder, 'phy80211'))) !== undefined;
    const facts = {
      name,
      mac: own.toLowerCase(),
      ...(driver && { driver: basename(driver) }),
      // -1 and 0 are what drivers say without a link.
      ...(speed > 0 && { speedMbps: speed }),
      wireless,
    };
    found.push({ place: `${place} ${name}`, facts });
  }
  return found.sort((a, b) => (a.place < b.place ? -1 : 1)).map(({ facts }) => facts);
}

async function target(link: string): Promise<string | undefined> {
  try {
    return await realpath(link);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}
