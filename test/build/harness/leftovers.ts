/** What a build may leave behind nowhere: work folders, containers, mounts, loop devices. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { openEngine } from '../../../host/engine/open.ts';
import type { StatePaths } from '../../../host/state.ts';

/** @returns a line for each thing that is left */
export async function leftovers(paths: StatePaths): Promise<string[]> {
  const { docker } = await openEngine(paths);
  const containers = await docker.listContainers({ all: true, filters: { label: ['iguana=build'] } });
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
    ...cache.map((name) => `cache ${name}`),
    ...mounts,
    ...loops,
  ];
}
