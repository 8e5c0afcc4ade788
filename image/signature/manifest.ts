/** Where signatures lie: a manifest beside the image, under a tag made of its digest, one layer a signature (cosign's SIGNATURE_SPEC). */
import { type Digest, digestOf } from '../digest.ts';
import type { BlobDescriptor, ManifestBytes } from '../source/source.ts';
import { type Descriptor, OCI_MANIFEST, parseOciManifest } from '../transfer/oci-manifest.ts';
import { MAX_PAYLOAD_BYTES, PAYLOAD_TYPE } from './payload.ts';

const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';

/** More would only be there to keep us busy. */
const MAX_SIGNATURES = 100;

/** A signature and the descriptor of what it signs. */
export interface Signature {
  readonly payload: BlobDescriptor;
  /** Base64 of ECDSA's r and s in DER. */
  readonly base64: string;
  /** As it stands in the manifest, with further annotations of others. */
  readonly descriptor: Descriptor;
}

/** A manifest of signatures with its config, which belongs beside it. */
export interface SignatureManifest {
  readonly manifest: ManifestBytes;
  readonly config: { readonly blob: BlobDescriptor; readonly bytes: Buffer };
}

/** The tag under which the signatures of an image lie. */
export const signatureTag = (image: Digest): string => `${image.replace(':', '-')}.sig`;

/** A signature as its layer. */
export function signatureLayer(payload: Buffer, base64: string): Descriptor {
  return {
    mediaType: PAYLOAD_TYPE,
    digest: digestOf(payload),
    size: payload.length,
    annotations: { [SIGNATURE_ANNOTATION]: base64 },
  };
}

/**
 * The signatures in a manifest; layers of other kinds are left out.
 * @throws BadManifest
 */
export function signaturesIn(name: string, manifest: ManifestBytes): readonly Signature[] {
  const { layers } = parseOciManifest(name, manifest);
  return layers
    .filter(({ mediaType, size }) => mediaType === PAYLOAD_TYPE && size <= MAX_PAYLOAD_BYTES)
    .flatMap((descriptor) => {
      const base64 = descriptor.annotations?.[SIGNATURE_ANNOTATION];
      const payload = { digest: descriptor.digest, sizeBytes: descriptor.size };
      return base64 === undefined ? [] : [{ payload, base64, descriptor }];
    })
    .slice(0, MAX_SIGNATURES);
}

/** A manifest with these layers. The config is what other tools expect of an image: the list of its layers. */
export function signatureManifest(layers: readonly Descriptor[]): SignatureManifest {
  const never = '0001-01-01T00:00:00Z';
  const config = Buffer.from(
    JSON.stringify({
      architecture: '',
      created: never,
      history: layers.map(() => ({ created: never })),
      os: '',
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      config: {},
    }),
  );
  const blob = { digest: digestOf(config), sizeBytes: config.length };
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: CONFIG_TYPE, size: blob.sizeBytes, digest: blob.digest },
      layers,
    }),
  );
  return {
    manifest: { bytes, digest: digestOf(bytes), mediaType: OCI_MANIFEST },
    config: { blob, bytes: config },
  };
}

/** Both manifests' signatures, each once, those of the first one first. */
export function mergeSignatures(first: ManifestBytes, second: ManifestBytes): SignatureManifest {
  const layers = [first, second].flatMap((manifest) => parseOciManifest('signatures', manifest).layers);
  const keyOf = ({ digest, annotations }: Descriptor): string =>
    `${digest} ${annotations?.[SIGNATURE_ANNOTATION] ?? ''}`;
  return signatureManifest([...new Map(layers.map((layer) => [keyOf(layer), layer])).values()]);
}
