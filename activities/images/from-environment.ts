/** Which library an agent uses. */
import { join } from 'node:path';
import type { StatePaths } from '../../host/state.ts';
import type { ImageLibrary } from './library.ts';
import { servedLibrary } from './served-library.ts';
import { storeLibrary } from './store-library.ts';

/**
 * `IGUANA_IMAGES` is the address of a server with blobs, `IGUANA_IMAGES_CERT_DIR` the folder of the certificates for it; without,
 * images are in the store of this host.
 * @param env default `process.env`
 */
export function imageLibrary(paths: StatePaths, env: NodeJS.ProcessEnv = process.env): ImageLibrary {
  const { IGUANA_IMAGES: url, IGUANA_IMAGES_CERT_DIR: certDir } = env;
  if (!url) return storeLibrary(paths.store);
  return servedLibrary({ url, ...(certDir && { certDir }), folder: join(paths.run, 'image-files') });
}
