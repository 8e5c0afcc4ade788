/** What a build may leave behind nowhere: work folders, containers, mounts, loop devices. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { openEngine } from '../../../host/engine/open.ts';
import type { StatePaths } from '../../../host/state.ts';

/** @returns a line for each thing that is left */
export async function leftovers(paths: StatePaths): Promise<string[]> {
  const { docker } = await openEngine(paths);
  // Others build on this host at the same time; the names of a build end with what stands for its store.
  const ownEnd = createHash('sha256').update(paths.store).digest('hex').slice(0, 8);
  const builds = await docker.listContainers({ all: true, filters: { label: ['org.iguana.build'] } });
  const containers = builds.filter(({ Names }) => Names.some((name) => name.endsWith(ownEnd)));
  const work = await readdir(join(paths.store, 'work')).catch(() => []);
  const cache = await readdir(join(paths.cache, 'apt/builds')).catch(() => []);
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(paths.root));
  const { stdout } = await execa('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']);
  const loops = stdout.split('\n').filter((line) => line.includes(paths.root));
  return [
    ...containers.map(({ Names, State }) => `container ${Names.join()} ${State}`),
    ...work.map((name) => `work ${name}`),
    ...cache.filter((name) => name.endsWith(ownEnd)).map((name) => `cache ${name}`),
    ...mounts,
    ...loops,
  ];
}
