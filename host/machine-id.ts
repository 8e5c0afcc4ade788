/** Who a machine is. */
import { attribute } from './disk-identity.ts';
import { physicalInterfaces } from './network-interfaces.ts';

/**
 * UUIDs that vendors ship on many machines alike; the list grew from public bug reports of systems that trusted them.
 */
const BOGUS_UUIDS = new Set([
  '03000200-0400-0500-0006-000700080009',
  '00020003-0004-0005-0006-000700080009',
  '03020100-0504-0706-0809-0a0b0c0d0e0f',
  '00010203-0405-0607-0809-0a0b0c0d0e0f',
  '4c4c4544-0000-2010-8020-80c04f202020',
  '12345678-1234-5678-90ab-cddeefaabbcc',
  'fefefefe-fefe-fefe-fefe-fefefefefefe',
]);

/** The SMBIOS UUID in lower case; undefined where there is none, or one that is no identity. */
export function usableUuid(uuid: string | undefined): string | undefined {
  const normal = uuid?.trim().toLowerCase();
  if (!normal || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(normal)) return undefined;
  // All digits alike: never set, or erased.
  if (/^(.)\1*$/.test(normal.replaceAll('-', ''))) return undefined;
  return BOGUS_UUIDS.has(normal) ? undefined : normal;
}

/**
 * The id of the machine that this process runs on: its SMBIOS UUID, else the MAC address of its first physical network
 * interface, by the order of their places on the buses.
 * @returns undefined where it has neither
 */
export async function machineId(sys = '/sys'): Promise<string | undefined> {
  const uuid = await attribute(`${sys}/class/dmi/id`, 'product_uuid');
  return machineIdOf(
    uuid,
    (await physicalInterfaces(sys)).map(({ mac }) => mac),
  );
}

/** The rule of {@link machineId}, for what a machine says of itself. */
export const machineIdOf = (uuid: string | undefined, macs: readonly string[]): string | undefined =>
  usableUuid(uuid) ?? macs[0];
