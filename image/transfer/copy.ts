/** Copies an image with its signatures from one place to another. */
import type { Digest } from '../digest.ts';
import { mergeSignatures, signatureTag } from '../signature/manifest.ts';
import type { ImageSource } from '../source/source.ts';
import { onePiece, streamBlob } from './blob-stream.ts';
import { forEachOf } from './for-each-of.ts';
import { blobsOf, parseOciManifest } from './oci-manifest.ts';
import type { ImageTarget } from './target.ts';

/** Blobs on their way at once: each holds two pieces of 4 MiB. */
const PARALLEL_BLOBS = 4;

/** How to copy. */
export interface CopyOptions {
  /** Under which the target finds the image; default: only by its digest. */
  readonly tag?: string | undefined;
  /** What was verified: the same manifest is copied, or none. */
  readonly digest?: Digest | undefined;
  /** Whether the signatures that lie beside it go with it; default true. */
  readonly signatures?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called after each piece, with what is done and what there is to do, in bytes. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** What was copied. */
export interface Copied {
  readonly digest: Digest;
  readonly blobs: number;
  readonly totalBytes: number;
  /** Sent now; the rest was there. */
  readonly copiedBytes: number;
  /** Whether signatures lay beside the image, and were copied. */
  readonly signed: boolean;
}

/** The image has changed between two looks at it. */
export class ImageChanged extends Error {
  override readonly name = 'ImageChanged';
}

/**
 * Copies an image: its blobs, then its signatures, then its manifest, so that what is found is whole and as signed as it was.
 * @throws SourceError, AllSourcesFailed, BadManifest, ImageChanged
 */
export async function copyImage(
  source: ImageSource,
  target: ImageTarget,
  { tag, digest, signatures = true, signal, onProgress }: CopyOptions = {},
): Promise<Copied> {
  const manifest = await source.manifest(signal);
  if (digest !== undefined && manifest.digest !== digest) {
    throw new ImageChanged(
      `copying ${source.name}: it is now ${manifest.digest}, and ${digest} was verified`,
    );
  }
  const blobs = blobsOf(parseOciManifest(source.name, manifest));
  const totalBytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let done = 0;
  let copiedBytes = 0;
  const advance = (bytes: number): void => {
    done += bytes;
    onProgress?.(done, totalBytes);
  };
  await forEachOf(blobs, PARALLEL_BLOBS, signal, async (blob, stop) => {
    if (await target.has(blob, stop)) {
      advance(blob.sizeBytes);
      return;
    }
    await target.put(blob, (until) => counted(streamBlob(source, blob, until), advance), stop);
    copiedBytes += blob.sizeBytes;
  });
  const signed = signatures && (await copySignatures(source, target, manifest.digest, signal));
  await target.putManifest(manifest, tag, signal);
  return { digest: manifest.digest, blobs: blobs.length, totalBytes, copiedBytes, signed };
}

async function copySignatures(
  source: ImageSource,
  target: ImageTarget,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const tag = signatureTag(digest);
  const found = await source.attached(tag, signal);
  if (!found) return false;
  const there = await target.findManifest(tag, signal);
  // Signatures that others have put there stay.
  const { manifest, config } = there ? mergeSignatures(there, found) : { manifest: found, config: undefined };
  for (const blob of blobsOf(parseOciManifest(source.name, manifest))) {
    if (await target.has(blob, signal)) continue;
    const isConfig = config !== undefined && blob.digest === config.blob.digest;
    await target.put(
      blob,
      (until) => (isConfig ? onePiece(config.bytes) : streamBlob(source, blob, until)),
      signal,
    );
  }
  await target.putManifest(manifest, tag, signal);
  return true;
}

/** @yields the pieces, and counts them; what a try that failed counted is taken back */
async function* counted(
  pieces: AsyncIterable<Buffer>,
  count: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  let sum = 0;
  let whole = false;
  try {
    for await (const piece of pieces) {
      sum += piece.length;
      count(piece.length);
      yield piece;
    }
    whole = true;
  } finally {
    if (!whole) count(-sum);
  }
}
