/** An image that was built elsewhere, into the store. */
import { BadImage } from '../../image/format/errors.ts';
import { BadKey, parsePublicKey } from '../../image/signature/public-key.ts';
import { NotTrusted } from '../../image/signature/verify.ts';
import { AllSourcesFailed, SourceError } from '../../image/source/errors.ts';
import { BadReference, formatReference, parseReference } from '../../image/source/reference.ts';
import { BadManifest } from '../../image/transfer/oci-manifest.ts';
import { openSource } from '../../image/transfer/open.ts';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import { type Fetched, fetchToStore } from '../../store/fetch-to-store.ts';
import type { ImageRecord } from '../../store/image-record.ts';
import type { ImageStore } from '../../store/store.ts';
import { type FailureType, failure } from '../failures.ts';
import { reportProgress } from '../progress.ts';
import { type BuildWork, removeFiles } from './place.ts';

type From = NonNullable<ManifestImage['from']>;

/**
 * Fetches what the store does not have of the image; a try that was interrupted goes on with the blobs that it lacks.
 * @throws failure `ImageUntrusted`, `ImageUnavailable`, `ImageRefused`, `ImageUnsuitable`; ImageIoError
 */
export async function fetchImage(store: ImageStore, from: From, work: BuildWork): Promise<ImageRecord> {
  const { imageDigest, place, log, signal } = work;
  const { reference, digest, mirrors } = from;
  log.add(`fetching ${digest} from ${[reference, ...mirrors].join(', ')}`);
  reportProgress({ step: 'fetch', message: reference });
  // What is left of a killed one.
  await removeFiles(place);
  try {
    await store.prepare();
    const fetched = await fetch(store, from, work);
    const { signer } = fetched.origin;
    log.add(signer ? `signed by ${signer.keyId} as "${signer.identity}"` : 'no signature was demanded');
    const record = { version: 3, imageDigest, ...fetched, createdAt: new Date().toISOString() } as const;
    signal.throwIfAborted();
    await store.commit(record);
    return record;
  } catch (error) {
    signal.throwIfAborted();
    const type = typeOf(error);
    if (!type || !(error instanceof Error)) throw error;
    throw failure(type, error.message, { cause: error, context: { log: log.path } });
  } finally {
    await removeFiles(place);
  }
}

async function fetch(
  store: ImageStore,
  { reference, digest, mirrors, keys, signedIdentity, plainHttp }: From,
  { image, place, signal }: BuildWork,
): Promise<Fetched> {
  const trusted = keys.map((pem, index) => parsePublicKey(pem, `image.from.keys[${index}]`));
  const source = openSource(
    [reference, ...mirrors].map((place) => pinned(place, digest)),
    { plainHttp },
  );
  try {
    const wanted = {
      digest,
      reference,
      keys: trusted.length > 0 ? trusted : undefined,
      identity: signedIdentity,
      rootFilesystem: image.rootFilesystem,
    };
    return await fetchToStore(store, source, wanted, {
      folder: place.folder,
      signal,
      onProgress: (doneBytes, totalBytes) => reportProgress({ step: 'fetch', doneBytes, totalBytes }),
    });
  } finally {
    await source.close();
  }
}

/** A tag that was moved since the profile was written changes nothing. */
function pinned(reference: string, digest: From['digest']): string {
  const { tag: _, ...place } = parseReference(reference);
  return formatReference({ ...place, digest });
}

function typeOf(error: unknown): FailureType | undefined {
  if (error instanceof NotTrusted || error instanceof BadKey) return 'ImageUntrusted';
  if (error instanceof BadImage || error instanceof BadManifest || error instanceof BadReference)
    return 'ImageUnsuitable';
  const failures = error instanceof AllSourcesFailed ? error.failures : [error];
  if (!failures.some((each) => each instanceof SourceError)) return undefined;
  const canCome = failures.some((each) => each instanceof SourceError && each.retryable);
  return canCome ? 'ImageUnavailable' : 'ImageRefused';
}
