/** Files that belong to an image and are on none of its disks. */
import { parseOciManifest } from '../../image/transfer/oci-manifest.ts';
import type { AttachmentName } from '../../store/install-content.ts';
import type { ImageRef } from '../contract.ts';
import { failure } from '../failures.ts';
import { imageFailure } from './failures.ts';
import type { ImageLibrary } from './library.ts';

/** The field of a reference that names each. */
const FIELDS = { esp: 'espDigest', files: 'filesDigest', sbom: 'sbomDigest' } as const satisfies Record<
  AttachmentName,
  keyof ImageRef
>;

/**
 * @returns its path
 * @throws failure `ImageMissing`, `ImageCorrupt`, `ImageUnavailable`
 */
export async function imageBlob(
  images: ImageLibrary,
  image: ImageRef,
  which: AttachmentName,
): Promise<string> {
  const digest = image[FIELDS[which]];
  const doing = `reading ${which} of image ${image.imageDigest} from ${images.name}`;
  const source = images.open(image.rootDigest);
  try {
    const { layers } = parseOciManifest(source.name, await source.manifest());
    const layer = layers.find((each) => each.digest === digest);
    if (!layer)
      throw failure('ImageMissing', `${doing}: the image does not have it`, { context: { digest } });
    return await images.file(source, { digest, sizeBytes: layer.size });
  } catch (error) {
    throw imageFailure(error, doing) ?? error;
  } finally {
    await source.close();
  }
}
