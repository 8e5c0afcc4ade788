/** Reading an image for a command: from all places that are named, and not before who signed it is known. */
import type { Command } from 'commander';
import type { Image } from '../../image/format/read-image.ts';
import type { Signer } from '../../image/signature/verify.ts';
import type { ImageSource } from '../../image/source/source.ts';
import { resolveStored } from './image-in-store.ts';
import {
  type ConnectionOptions,
  checkSignatureOptions,
  connectionOf,
  type MirrorOption,
  readable,
  type SignatureOptions,
  signerOf,
  withConnectionOptions,
  withMirrorOption,
  withSignatureOptions,
} from './image-options.ts';

/** What {@link withReadOptions} adds. */
export type ReadOptions = ConnectionOptions & MirrorOption & SignatureOptions;

/** Adds the options for reading an image that may be elsewhere. */
export const withReadOptions = (command: Command): Command =>
  withConnectionOptions(withSignatureOptions(withMirrorOption(command)));

/** An image, and where its packs are. */
export interface OpenImage {
  readonly image: Image;
  readonly source: ImageSource;
  /** Undefined where no key was given. */
  readonly signer: Signer | undefined;
}

/**
 * Reads an image, does something with it, and lets go of its source. The manifest is read once: a tag that is moved meanwhile
 * cannot bring another image than the one that was verified.
 * @throws NotTrusted, BadKey; what readImage throws; CommandError for a reference that is none
 */
export async function withImage<T>(
  reference: string,
  options: ReadOptions,
  use: (open: OpenImage) => Promise<T>,
): Promise<T> {
  checkSignatureOptions(options);
  const [{ openSource }, { readImage }] = await Promise.all([
    import('../../image/transfer/open.ts'),
    import('../../image/format/read-image.ts'),
  ]);
  const places = await Promise.all([reference, ...(options.mirror ?? [])].map(resolveStored));
  const source = readable(() => openSource(places, connectionOf(options)));
  try {
    const manifest = await source.manifest();
    const signer = await signerOf(source, manifest.digest, options);
    const image = await readImage(source, { manifest });
    return await use({ image, source, signer });
  } finally {
    await source.close();
  }
}
