/** The boot image, made again from nothing but Debian's packages. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import { makeBootImage } from '../../host/boot/boot-image.ts';
import { agentLayers } from '../../host/containers/agent.ts';
import { type StatePaths, statePaths } from '../../host/state.ts';
import { digestOf } from '../../image/digest.ts';
import { folderWith } from '../client/folder.ts';

const TIMEOUT_MS = 1_200_000;
const onLine = () => undefined;
/** Where nothing has ever been made. */
const nowhere = (): StatePaths => statePaths({ IGUANA_CACHE: folderWith() });

/** Digests of kernel, initrd and the agent's layers, which are what a registry and a boot image with the agent in it are made of. */
async function made(paths: StatePaths): Promise<readonly string[]> {
  const folder = folderWith();
  const { kernel, initrdSha256 } = await makeBootImage(paths, {
    variant: 'virtual',
    baked: false,
    folder,
    onLine,
  });
  const layers = await agentLayers(join(paths.cache, 'containers/layers'), onLine);
  return [digestOf(await readFile(kernel)), initrdSha256, ...layers.map(({ diffId }) => diffId)];
}

it('the boot image and its agent are the same bytes when they are made again', {
  timeout: TIMEOUT_MS,
}, async () => {
  const again = await made(nowhere());
  const before = await made(statePaths());
  // What this host made before may be of older packages than the mirror has now: then it takes two from now.
  expect(again).toEqual(isDeepStrictEqual(again, before) ? before : await made(nowhere()));
});
