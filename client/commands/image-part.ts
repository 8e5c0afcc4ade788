/** Choosing one part of an image. */
import type { Image, ImagePart } from '../../image/format/read-image.ts';
import { usageError } from '../errors.ts';

/**
 * The part that is meant: the named one, or the only one.
 * @param doing for messages: `writing REFERENCE`
 */
export function partOf({ parts }: Image, name: string | undefined, doing: string): ImagePart {
  const part = name === undefined && parts.length === 1 ? parts[0] : parts.find((one) => one.name === name);
  if (part) return part;
  throw usageError(
    name === undefined ? `${doing}: it has ${parts.length} parts` : `${doing}: it has no part ${name}`,
    { remedy: `Choose one with --part: ${parts.map((one) => one.name).join(', ')}.` },
  );
}
