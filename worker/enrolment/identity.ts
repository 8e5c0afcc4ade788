/** Who this machine is: what it says, and the key that proves that it is the one that said it before. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attribute } from '../../host/disk-identity.ts';
import type { MachineIdentity } from '../../host/enrolment/api.ts';
import { readJsonFile, writeJsonFile } from '../../host/json-file.ts';
import { physicalInterfaces } from '../../host/network-interfaces.ts';

/** For the operator who has to recognise the machine. */
const FACTS = ['sys_vendor', 'product_name', 'product_serial', 'chassis_serial'] as const;
const MAX_FACT = 256;
const MAX_MACS = 64;

/** @param sys where sysfs is mounted */
export async function machineIdentity(sys = '/sys'): Promise<MachineIdentity> {
  const dmi = join(sys, 'class/dmi/id');
  const uuid = await attribute(dmi, 'product_uuid');
  const facts: Record<string, string> = {};
  for (const name of FACTS) {
    const value = (await attribute(dmi, name))
      ?.replaceAll(/[^\p{L}\p{N}\p{P}\p{S}\p{Zs}]/gu, '?')
      .slice(0, MAX_FACT);
    if (value) facts[name] = value;
  }
  const macs = (await physicalInterfaces(sys)).map(({ mac }) => mac).slice(0, MAX_MACS);
  return { ...(uuid && { uuid }), macs, facts };
}

/** @returns the kernel's id of this boot */
export const bootId = async (): Promise<string> =>
  (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();

/**
 * The key of this machine; made where there is none. Kept, so that an agent that is started again is the same machine
 * without any token.
 */
export async function machineKey(folder: string): Promise<KeyObject> {
  const file = join(folder, 'key.json');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const known = await readJsonFile<{ key: string }>(file);
  if (known) return createPrivateKey(known.key);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeJsonFile(file, { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) }, 0o600);
  return privateKey;
}

/** At most so many are told, and so much of each. */
const MAX_REFUSED = 5;
const MAX_REFUSED_CHARACTERS = 500;

/**
 * What this boot has refused to run as its agent before it ran this one.
 * @param file a line each; missing where nothing was refused
 */
export async function refusedAgents(file: string | undefined): Promise<readonly string[]> {
  if (file === undefined) return [];
  try {
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
    return [...new Set(lines)]
      .slice(-MAX_REFUSED)
      .map((line) =>
        line.replaceAll(/[^\p{L}\p{N}\p{P}\p{S}\p{Zs}]/gu, '?').slice(0, MAX_REFUSED_CHARACTERS),
      );
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** @returns undefined where no file is named */
export async function readToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return (await readFile(file, 'utf8')).trim() || undefined;
  } catch (cause) {
    throw new Error(`reading the token from ${file}, which IGUANA_TOKEN_FILE names: it cannot be read`, {
      cause,
    });
  }
}
