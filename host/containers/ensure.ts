/** Having an image: found in the engine, else made, once, whoever asks at the same time. */
import { join } from 'node:path';
import type { Engine } from '../engine/connect.ts';
import { withLock } from '../lock.ts';
import type { StatePaths } from '../state.ts';
import { hasImage, loadImage } from './image.ts';
import { dropUnusedLayers, type Layer } from './layer.ts';

/** How an image is made. */
export interface ImageRecipe {
  readonly name: string;
  /** From the digest of all that determines the image, see `contentTag`. */
  readonly tag: string;
  /** Makes the layers, lowest first, or finds them in the folder of layers. */
  readonly layers: (folder: string) => Promise<readonly Layer[]>;
  readonly command: readonly string[];
  readonly env?: readonly string[];
}

/**
 * Brings the image into the engine where it is not there.
 * @param onLine told what is being done, a line for people; nothing where nothing has to be done
 * @returns the image's tag
 */
export async function ensureImage(
  engine: Engine,
  paths: StatePaths,
  onLine: (line: string) => void,
  recipe: ImageRecipe,
): Promise<string> {
  const { tag } = recipe;
  if (await hasImage(engine, tag)) return tag;
  const folder = join(paths.cache, 'containers');
  await withLock(
    join(folder, `${recipe.name}.lock`),
    async () => {
      if (await hasImage(engine, tag)) return;
      const started = Date.now();
      onLine(`container image ${tag}: making it`);
      const layers = await recipe.layers(join(folder, 'layers'));
      const { command, env } = recipe;
      await loadImage(engine, { tag, layers, command, ...(env && { env }) });
      await dropUnusedLayers(join(folder, 'layers'));
      onLine(`container image ${tag}: ready after ${Math.round((Date.now() - started) / 1000)} s`);
    },
    () => onLine(`container image ${tag}: another process makes it; waiting`),
  );
  return tag;
}
