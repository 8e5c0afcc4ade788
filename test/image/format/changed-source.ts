/** An image of which somebody has changed the manifest, or the configuration. */
import { digestOf } from '../../../image/digest.ts';
import type { ImageSource, ManifestBytes } from '../../../image/source/source.ts';

/**
 * A source with another manifest; all else is as it was.
 * @param config the configuration that this manifest names; default: whatever the source has
 */
export function changedSource(source: ImageSource, manifest: ManifestBytes, config?: Buffer): ImageSource {
  const digest = config && digestOf(config);
  return {
    name: 'changed',
    manifest: async () => manifest,
    attached: async () => undefined,
    blob: async (blob, signal) =>
      config && blob.digest === digest ? config : await source.blob(blob, signal),
    range: (...range) => source.range(...range),
    reject: () => false,
    close: () => source.close(),
  };
}
