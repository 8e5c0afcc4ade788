/** The reference images packed as people pack them. */
import { readFileSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { benchFolder, type Release } from './write-image.ts';

const pathOf = (path: string): string => new URL(path, import.meta.url).pathname;

/** With which the launcher starts Node. */
export const nodeOptions: readonly string[] =
  readFileSync(pathOf('../iguana'), 'utf8').match(/--max-semi-space-size=\d+/g) ?? [];

/** The `iguana` command, as words. */
export const iguana = [pathOf('../node_modules/.bin/node'), ...nodeOptions, pathOf('../client/main.ts')];

/** What the launcher gives Node: it keeps what it has compiled. */
export const launcherEnv = {
  NODE_COMPILE_CACHE: pathOf('../node_modules/.cache/node-compile'),
};

/** @returns the layout folder, which is kept in the cache; another packer needs another one: remove it */
export async function packReference(raw: string, release: Release): Promise<string> {
  const folder = join(benchFolder(), `layout-${release}`);
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  if (isThere) return folder;
  const partial = `${folder}.new`;
  await rm(partial, { recursive: true, force: true });
  const [node = '', ...main] = iguana;
  await execa(node, [...main, 'image', 'pack', raw, `oci:${partial}`], { stdin: 'ignore' });
  await rename(partial, folder);
  return folder;
}
