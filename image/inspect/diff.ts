/** What one image has of another: what a machine with the older one has to fetch for the newer one. */
import type { Image, ImagePart } from '../format/read-image.ts';

/** One part of the newer image, against all parts of the older. */
export interface PartDiff {
  readonly name: string;
  readonly chunks: number;
  /** Chunks that the older image has, at any place. */
  readonly sharedChunks: number;
  /** Raw bytes of them. */
  readonly sharedBytes: number;
  /** Raw bytes of all chunks. */
  readonly dataBytes: number;
  /** Packed bytes that have to be fetched: each range once. */
  readonly fetchBytes: number;
  /** Packed bytes of all chunks. */
  readonly packedBytes: number;
}

/** Compares by content: chunks of the same bytes are the same. */
export function diffImages(older: Image, newer: Image): readonly PartDiff[] {
  const held = new Set<string>();
  for (const { chunks } of older.parts) for (const { sha256 } of chunks.chunks()) held.add(sha256);
  return newer.parts.map((part) => diffPart(held, part));
}

function diffPart(held: ReadonlySet<string>, { name, dataBytes, chunks }: ImagePart): PartDiff {
  const counted = new Set<string>();
  const diff = { sharedChunks: 0, sharedBytes: 0, fetchBytes: 0, packedBytes: 0 };
  for (const { sha256, length, packedLength } of chunks.chunks()) {
    const isShared = held.has(sha256);
    if (isShared) {
      diff.sharedChunks += 1;
      diff.sharedBytes += length;
    }
    if (counted.has(sha256)) continue;
    counted.add(sha256);
    diff.packedBytes += packedLength;
    if (!isShared) diff.fetchBytes += packedLength;
  }
  return { name, chunks: chunks.count, dataBytes, ...diff };
}
