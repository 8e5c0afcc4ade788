/** Firmware, TPM and DMI of the machine. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attribute } from '../../host/disk-identity.ts';
import { usableUuid } from '../../host/machine-id.ts';
import { errorCode } from '../../image/io-error.ts';
import type { Facts } from '../../manifest/schema/facts.ts';

/** UEFI 2.10, 3.3: variable SecureBoot of EFI_GLOBAL_VARIABLE. */
const SECURE_BOOT = 'firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';

/** The firmware this system was booted by. */
export async function detectFirmware(sys = '/sys'): Promise<Facts['firmware']> {
  if (!(await folderExists(join(sys, 'firmware/efi')))) return { type: 'bios', basis: 'detected' };
  const secureBoot = await readSecureBoot(join(sys, SECURE_BOOT));
  return { type: 'uefi', basis: 'detected', ...(secureBoot !== undefined && { secureBoot }) };
}

/** efivarfs puts four bytes of attributes before the value. */
async function readSecureBoot(path: string): Promise<boolean | undefined> {
  try {
    return (await readFile(path)).at(4) === 1;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The first TPM. */
export async function detectTpm(sys = '/sys'): Promise<Facts['tpm']> {
  const folder = join(sys, 'class/tpm/tpm0');
  if (!(await folderExists(folder))) return { present: false };
  const version = await attribute(folder, 'tpm_version_major');
  return { present: true, ...(version && { version }) };
}

/** Texts that board makers leave in DMI where they should have put something. */
const PLACEHOLDER =
  /^(to be filled by o\.?e\.?m\.?|default string|system (manufacturer|product name|serial number)|not (specified|applicable)|none|n\/a|0+|0?123456789)$/i;

/** What DMI tells of the machine. */
export async function detectMachine(id: string, sys = '/sys'): Promise<Facts['machine']> {
  const folder = join(sys, 'class/dmi/id');
  const text = async (name: string): Promise<string | undefined> => {
    const value = await attribute(folder, name);
    return value && !PLACEHOLDER.test(value) ? value : undefined;
  };
  const uuid = usableUuid(await attribute(folder, 'product_uuid'));
  const manufacturer = await text('sys_vendor');
  const product = await text('product_name');
  const serial = await text('product_serial');
  return {
    id,
    ...(uuid && { uuid }),
    ...(manufacturer && { manufacturer }),
    ...(product && { product }),
    ...(serial && { serial }),
  };
}

async function folderExists(path: string): Promise<boolean> {
  try {
    await readdir(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
