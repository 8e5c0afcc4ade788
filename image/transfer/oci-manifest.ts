/** An OCI image manifest as far as copying needs it: the blobs that it names (image-spec v1.1, manifest.md). */
import type { Digest } from '../digest.ts';
import { Fields } from '../json-fields.ts';
import type { BlobDescriptor, ManifestBytes } from '../source/source.ts';

/** The only kind of manifest that Iguana writes and copies. */
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** A manifest that cannot be copied. */
export class BadManifest extends Error {
  override readonly name = 'BadManifest';
}

/** A descriptor as it stands in manifests. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A manifest's blobs. */
export interface OciManifest {
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** @throws BadManifest */
export function parseOciManifest(name: string, { bytes, digest, mediaType }: ManifestBytes): OciManifest {
  const doing = `reading the manifest ${digest} of ${name}`;
  if (mediaType !== OCI_MANIFEST) {
    throw new BadManifest(
      `${doing}: it is a ${mediaType || 'thing without a media type'}, not an ${OCI_MANIFEST}`,
    );
  }
  try {
    const fields = new Fields(JSON.parse(bytes.toString()), 'manifest');
    fields.oneOf('schemaVersion', 2);
    if (fields.has('mediaType')) fields.oneOf('mediaType', OCI_MANIFEST);
    return {
      ...(fields.has('artifactType') && { artifactType: fields.text('artifactType') }),
      config: descriptorOf(fields.object('config')),
      layers: fields.objects('layers').map((layer) => descriptorOf(layer)),
    };
  } catch (cause) {
    throw new BadManifest(`${doing}: it is no OCI image manifest`, { cause });
  }
}

/**
 * A descriptor (image-spec v1.1, descriptor.md).
 * @param mostBytes that it may describe
 */
export const descriptorOf = (fields: Fields, mostBytes?: number): Descriptor => ({
  mediaType: fields.text('mediaType'),
  digest: fields.digest('digest'),
  size: fields.count('size', mostBytes),
  ...(fields.has('annotations') && { annotations: fields.texts('annotations') }),
});

/** Its blobs, each once. */
export function blobsOf({
  config,
  layers,
}: Pick<OciManifest, 'config' | 'layers'>): readonly BlobDescriptor[] {
  const all = [config, ...layers].map(({ digest, size }) => ({ digest, sizeBytes: size }));
  return [...new Map(all.map((blob) => [blob.digest, blob])).values()];
}
