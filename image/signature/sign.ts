/** Signs an image where it lies. */
import type { Digest } from '../digest.ts';
import type { ImageSource } from '../source/source.ts';
import { onePiece } from '../transfer/blob-stream.ts';
import type { ImageTarget } from '../transfer/target.ts';
import { mergeSignatures, signatureLayer, signatureManifest, signatureTag } from './manifest.ts';
import { writePayload } from './payload.ts';
import { type PrivateKey, signBytes } from './private-key.ts';

/** A signature that was made. */
export interface Signed {
  readonly digest: Digest;
  readonly keyId: string;
  readonly identity: string;
  /** Under which the signatures lie. */
  readonly tag: string;
}

/**
 * Signs an image, and puts the signature beside those that are there.
 * @param identity the name that is signed with it; podman's policies compare it with the repository
 */
export async function signImage(
  { source, target }: { source: ImageSource; target: ImageTarget },
  { key, identity, signal }: { key: PrivateKey; identity: string; signal?: AbortSignal },
): Promise<Signed> {
  const { digest } = await source.manifest(signal);
  const tag = signatureTag(digest);
  const payload = writePayload({ identity, manifestDigest: digest });
  const layer = signatureLayer(payload, signBytes(key, payload));
  const made = signatureManifest([layer]);
  const there = await target.findManifest(tag, signal);
  const { manifest, config } = there ? mergeSignatures(there, made.manifest) : made;
  for (const { blob, bytes } of [
    { blob: { digest: layer.digest, sizeBytes: layer.size }, bytes: payload },
    config,
  ]) {
    if (!(await target.has(blob, signal))) await target.put(blob, () => onePiece(bytes), signal);
  }
  await target.putManifest(manifest, tag, signal);
  return { digest, keyId: key.public.id, identity, tag };
}
