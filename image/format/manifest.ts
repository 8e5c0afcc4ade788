/** The OCI manifest of an image: what registries store and signatures are about. */

import { digestOf } from '../digest.ts';
import type { BlobDescriptor, ManifestBytes } from '../source/source.ts';
import { OCI_MANIFEST } from '../transfer/oci-manifest.ts';
import { ARTIFACT_TYPE, ATTACHMENT_TYPE, CONFIG_TYPE, PACK_TYPE, TABLE_TYPE } from './media-types.ts';

/** The blobs that a manifest names. */
export interface ImageBlobs {
  readonly config: BlobDescriptor;
  /** One for each part, in their order. */
  readonly tables: readonly BlobDescriptor[];
  readonly attachments: readonly BlobDescriptor[];
  /** Each once. */
  readonly packs: readonly BlobDescriptor[];
}

/** @returns the manifest; the same blobs give the same bytes */
export function encodeManifest({ config, tables, attachments, packs }: ImageBlobs): ManifestBytes {
  const descriptor =
    (mediaType: string) =>
    ({ digest, sizeBytes }: BlobDescriptor) => ({ mediaType, digest, size: sizeBytes });
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: ARTIFACT_TYPE,
      config: descriptor(CONFIG_TYPE)(config),
      layers: [
        ...tables.map(descriptor(TABLE_TYPE)),
        ...attachments.map(descriptor(ATTACHMENT_TYPE)),
        ...packs.map(descriptor(PACK_TYPE)),
      ],
    }),
  );
  return { bytes, digest: digestOf(bytes), mediaType: OCI_MANIFEST };
}
