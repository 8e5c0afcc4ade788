/** Secrets by name: one file each, readable by its owner only. Nothing else of Iguana ever stores their values. */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StatePaths } from './state.ts';

/** Same rule as the profile's references to secrets: no separators, so a name cannot leave the folder. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/**
 * Where a secret is kept.
 * @throws RangeError when the name is none
 */
function secretPath(paths: Pick<StatePaths, 'secrets'>, name: string): string {
  if (!NAME.test(name))
    throw new RangeError(`not the name of a secret: ${JSON.stringify(name)} (a-z, 0-9, . _ -)`);
  return join(paths.secrets, name);
}

/**
 * Stores a secret, replacing an earlier value; whole or not at all.
 * @param value kept as it is, byte for byte
 * @throws RangeError when the name is none
 */
export async function storeSecret(
  paths: Pick<StatePaths, 'secrets'>,
  name: string,
  value: string,
): Promise<void> {
  const path = secretPath(paths, name);
  await mkdir(paths.secrets, { recursive: true, mode: 0o700 });
  // The leading dot keeps the temporary file out of the names that a secret can have.
  const temporary = join(paths.secrets, `.${name}.${process.pid}`);
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(value);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/**
 * Reads a secret.
 * @returns undefined where none is stored under the name
 * @throws RangeError when the name is none
 */
export async function readSecret(
  paths: Pick<StatePaths, 'secrets'>,
  name: string,
): Promise<string | undefined> {
  try {
    return await readFile(secretPath(paths, name), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** @returns the names of all stored secrets, sorted */
export async function listSecrets(paths: Pick<StatePaths, 'secrets'>): Promise<string[]> {
  try {
    return (await readdir(paths.secrets)).filter((name) => NAME.test(name)).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Removes a secret.
 * @returns whether there was one
 * @throws RangeError when the name is none
 */
export async function removeSecret(paths: Pick<StatePaths, 'secrets'>, name: string): Promise<boolean> {
  const existed = (await readSecret(paths, name)) !== undefined;
  await rm(secretPath(paths, name), { force: true });
  return existed;
}
