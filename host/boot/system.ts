/** The system of the boot image, from Debian's packages: the same for every machine and every server. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeUserland, packagesOf, type Userland, userlandKey } from '../containers/debian.ts';
import { cachedLayer, type Layer } from '../containers/layer.ts';

/** Which machines a boot image is for. */
export type BootVariant = 'virtual' | 'generic';

const RECIPE = fileURLToPath(new URL('../../initrd/boot/', import.meta.url));

/** Debian's kernels: the cloud's has the drivers of virtual machines only. */
const KERNELS: Readonly<Record<BootVariant, string>> = {
  virtual: 'linux-image-cloud-amd64',
  generic: 'linux-image-amd64',
};

/** Scripts that take out what is not used; each gets the root folder and the variant. */
const CUSTOMIZE = ['slim.sh', 'modules.sh'] as const;

/**
 * The system as an archive, with the kernel in `boot/`; from the cache, or made.
 * @param folder the cache of layers
 * @throws Error with what mmdebstrap said
 */
export async function bootSystem(
  variant: BootVariant,
  folder: string,
  onLine: (line: string) => void,
): Promise<Layer> {
  const userland = await userlandOf(variant);
  return await cachedLayer(folder, { boot: variant, userland: userlandKey(userland) }, (path) =>
    makeUserland(userland, path, onLine),
  );
}

async function userlandOf(variant: BootVariant): Promise<Userland> {
  const packages = await readFile(join(RECIPE, 'packages.txt'), 'utf8');
  const scripts = await Promise.all(CUSTOMIZE.map((name) => readFile(join(RECIPE, name))));
  return {
    variant: 'essential',
    packages: [...packagesOf(packages), KERNELS[variant]],
    customize: {
      program: CUSTOMIZE.map((name) => `'${join(RECIPE, name)}' "$1" ${variant}`).join(' && '),
      digest: createHash('sha256').update(Buffer.concat(scripts)).digest('hex'),
    },
  };
}
