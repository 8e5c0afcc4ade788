/** An OCI image manifest as far as copying needs it: the blobs that it names (image-spec v1.1, manifest.md). */
import { z } from 'zod';
import { digestSchema } from '../source/reference.ts';
import type { BlobDescriptor, ManifestBytes } from '../source/source.ts';

/** The only kind of manifest that Iguana writes and copies. */
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** A manifest that cannot be copied. */
export class BadManifest extends Error {
  override readonly name = 'BadManifest';
}

const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
});

const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.literal(OCI_MANIFEST).optional(),
  artifactType: z.string().optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
});

/** A descriptor as it stands in manifests. */
export type Descriptor = z.infer<typeof descriptorSchema>;

/** A manifest's blobs. */
export type OciManifest = z.infer<typeof manifestSchema>;

/** @throws BadManifest */
export function parseOciManifest(name: string, { bytes, digest, mediaType }: ManifestBytes): OciManifest {
  const doing = `reading the manifest ${digest} of ${name}`;
  if (mediaType !== OCI_MANIFEST) {
    throw new BadManifest(
      `${doing}: it is a ${mediaType || 'thing without a media type'}, not an ${OCI_MANIFEST}`,
    );
  }
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    throw new BadManifest(`${doing}: it is no OCI image manifest`, { cause });
  }
}

/** Its blobs, each once. */
export function blobsOf({
  config,
  layers,
}: Pick<OciManifest, 'config' | 'layers'>): readonly BlobDescriptor[] {
  const all = [config, ...layers].map(({ digest, size }) => ({ digest, sizeBytes: size }));
  return [...new Map(all.map((blob) => [blob.digest, blob])).values()];
}
