/** An image that was built elsewhere into the store: verified before the first byte of it is kept. */
import { mkdir } from 'node:fs/promises';
import { z } from 'zod';
import type { Digest } from '../image/digest.ts';
import { BadImage } from '../image/format/errors.ts';
import { readImage } from '../image/format/read-image.ts';
import type { PublicKey } from '../image/signature/public-key.ts';
import { verifySignature } from '../image/signature/verify.ts';
import type { ImageSource } from '../image/source/source.ts';
import { streamBlob } from '../image/transfer/blob-stream.ts';
import { copyImage } from '../image/transfer/copy.ts';
import { checkContent } from './check-content.ts';
import { MAX_LIST_BYTES } from './file-list.ts';
import type { Blob, ImageOrigin, ImageRecord } from './image-record.ts';
import { installContent } from './install-content.ts';
import type { ImageStore } from './store.ts';
import { StoreTarget } from './store-target.ts';

/** Which image, and whom to trust. */
export interface Wanted {
  /** Of its manifest. */
  readonly digest: Digest;
  /** For the record: where it comes from, without credentials. */
  readonly reference: string;
  /** One of these must have signed it; undefined where nobody needs to have. */
  readonly keys: readonly PublicKey[] | undefined;
  /** This name must have been signed with it; default any. */
  readonly identity?: string | undefined;
  /** What the root partition will be. */
  readonly rootFilesystem: ImageRecord['rootFilesystem'];
}

/** How to fetch. */
export interface FetchOptions {
  /** On the store's filesystem, for blobs on their way; to be removed by the caller. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  /** Told the bytes that are in the store. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** A package list is tens of kilobytes for a small system, some megabytes for a large one. */
const MAX_SBOM_BYTES = 64 * 2 ** 20;

const sbomSchema = z.object({ components: z.array(z.unknown()).default([]) });

/** What {@link fetchToStore} brought: a record but for the name that the store gives it. */
export type Fetched = Omit<ImageRecord, 'version' | 'imageDigest' | 'createdAt'> & {
  readonly origin: ImageOrigin;
};

/**
 * Fetches what the store does not have of an image: what can be looked at first, the packs only of one that can be installed.
 * @returns its share of a record, for {@link ImageStore.commit}
 * @throws NotTrusted; BadImage, also where it is another image than the one that is wanted, or nothing to install;
 *   SourceError, AllSourcesFailed, ImageIoError
 */
export async function fetchToStore(
  store: ImageStore,
  source: ImageSource,
  { digest, reference, keys, identity, rootFilesystem }: Wanted,
  { folder, signal, onProgress }: FetchOptions,
): Promise<Fetched> {
  const doing = `fetching the image ${digest} of ${source.name}`;
  const manifest = await source.manifest(signal);
  if (manifest.digest !== digest)
    throw new BadImage(doing, 'another image is there', { expected: digest, found: manifest.digest });
  const signer = keys && (await verifySignature(source, digest, { keys, identity, signal }));
  const image = await readImage(source, { manifest, ...(signal && { signal }) });
  const content = installContent(doing, image);
  if (content.rootFilesystem !== rootFilesystem)
    throw new BadImage(doing, 'its root filesystem is another than that of the root partition', {
      expected: rootFilesystem,
      found: content.rootFilesystem,
    });
  requireSize(doing, 'list of packages', content.sbom, MAX_SBOM_BYTES);
  requireSize(doing, 'list of files', content.files, MAX_LIST_BYTES);
  const packageCount = countPackages(doing, await source.blob(content.sbom, signal));
  await mkdir(folder, { recursive: true });
  const target = new StoreTarget(store, folder);
  const { esp, files, sbom, root } = content;
  for (const blob of [esp, files])
    if (!(await target.has(blob))) await target.put(blob, (stop) => streamBlob(source, blob, stop), signal);
  const inStore = ({ digest }: Blob): string => store.blobPath(digest);
  await checkContent(doing, { esp: inStore(esp), files: inStore(files) }, signal);
  await copyImage(source, target, {
    digest,
    signatures: false,
    signal,
    ...(onProgress && { onProgress }),
  });
  return {
    rootFilesystem,
    image: { digest, sizeBytes: manifest.bytes.length },
    imageBlobs: [...image.blobs],
    rootBytes: root.sizeBytes,
    dataBytes: root.dataBytes,
    esp,
    files,
    sbom,
    packageCount,
    origin: { reference, ...(signer && { signer: { keyId: signer.keyId, identity: signer.identity } }) },
  };
}

function requireSize(doing: string, what: string, { sizeBytes }: Blob, mostBytes: number): void {
  if (sizeBytes <= mostBytes) return;
  throw new BadImage(doing, `its ${what} is too large`, {
    expected: `at most ${mostBytes}`,
    found: sizeBytes,
  });
}

function countPackages(doing: string, bytes: Buffer): number {
  try {
    return sbomSchema.parse(JSON.parse(bytes.toString())).components.length;
  } catch (cause) {
    throw new BadImage(doing, 'its list of packages is no CycloneDX document', { cause });
  }
}
