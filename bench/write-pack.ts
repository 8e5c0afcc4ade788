/** The reference images packed as people pack them. */
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { benchFolder, type Release } from './write-image.ts';

/** The `iguana` command, as words. */
export const iguana = ['../node_modules/.bin/node', '../client/main.ts'].map(
  (path) => new URL(path, import.meta.url).pathname,
);

/** What the launcher gives Node: it keeps what it has compiled. */
export const launcherEnv = {
  NODE_COMPILE_CACHE: new URL('../node_modules/.cache/node-compile', import.meta.url).pathname,
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
