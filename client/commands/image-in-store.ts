/** `store:DIGEST`: an image of the store, where commands read images. */
import { statePaths } from '../../host/state.ts';
import { usageError } from '../errors.ts';

const PREFIX = 'store:';
/** Shorter ones are typed by mistake. */
const MIN_DIGITS = 4;

/**
 * @param reference as it was given; all but `store:DIGEST` stays as it is
 * @returns the reference of the folder where the image lies
 * @throws CommandError where no image, or more than one, has that digest
 */
export async function resolveStored(reference: string): Promise<string> {
  if (!reference.startsWith(PREFIX)) return reference;
  const wanted = reference.slice(PREFIX.length).replace(/^sha256:/, '');
  const remedy = '`iguana image ls` shows the images in the store.';
  if (!/^[0-9a-f]+$/.test(wanted) || wanted.length < MIN_DIGITS)
    throw usageError(
      `reading ${reference}: after store: come the first digits of a digest, at least ${MIN_DIGITS}`,
      { remedy },
    );
  const { ImageStore } = await import('../../store/store.ts');
  const { store: folder } = statePaths();
  const records = await new ImageStore(folder).list();
  const found = records.filter(({ imageDigest }) => imageDigest.startsWith(`sha256:${wanted}`));
  const [record, ...others] = found;
  if (!record) throw usageError(`looking for ${reference} in ${folder}: no image begins so`, { remedy });
  if (others.length > 0)
    throw usageError(`looking for ${reference} in ${folder}: ${found.length} images begin so`, { remedy });
  return `oci:${folder}@${record.image.digest}`;
}
