/** Packing: from disk and filesystem images to an Iguana image in an OCI layout folder. */
import { type Digest, digestOf } from '../digest.ts';
import {
  type Attachment,
  decodeConfig,
  encodeConfig,
  type ImageConfig,
  type Part,
} from '../format/config.ts';
import { BadImage } from '../format/errors.ts';
import { BLOCK_BYTES, MAX_MANIFEST_BYTES } from '../format/limits.ts';
import { encodeManifest } from '../format/manifest.ts';
import { tableBytes } from '../format/table-layout.ts';
import type { BlobDescriptor } from '../source/source.ts';
import { onePiece } from '../transfer/blob-stream.ts';
import type { LayoutTarget } from '../transfer/layout-target.ts';
import { type PackSettings, type PartInput, packPart } from './pack-part.ts';

/** What is packed into one image. */
export interface PackRequest extends PackSettings {
  /** For people. */
  readonly name?: string | undefined;
  /** Under which the folder has it; without one it is named by its digest only. */
  readonly tag?: string | undefined;
  readonly parts: readonly PartInput[];
  /** Files that belong to the image; who asks for them brings their blobs. */
  readonly attachments?: readonly Attachment[];
}

/** What came of it. */
export interface PackedImage {
  /** Of the manifest. */
  readonly digest: Digest;
  /** The manifest itself. */
  readonly manifest: BlobDescriptor;
  /** All that the manifest names, but for the attachments. */
  readonly blobs: readonly BlobDescriptor[];
  readonly parts: readonly Part[];
  /** Bytes of all packs. */
  readonly packedBytes: number;
}

/**
 * Packs an image. The manifest is written last: an image that could not be finished does not exist, and what it
 * has left in the folder is used by the next attempt.
 * @throws ImageIoError; BadImage for an image beyond the limits of the format; and what the inputs throw
 */
export async function packImage(target: LayoutTarget, request: PackRequest): Promise<PackedImage> {
  const doing = `packing into ${target.name}`;
  const empty = request.parts.find(({ input }) => input.sizeBytes === 0);
  if (empty)
    throw new BadImage(doing, `${empty.input.name} is empty: there is nothing to pack; name another file`);
  const parts: Part[] = [];
  requireReadable(doing, request, parts);
  const packs = new Map<Digest, BlobDescriptor>();
  const totalBytes = request.parts.reduce((sum, { input }) => sum + input.sizeBytes, 0);
  let before = 0;
  for (const part of request.parts) {
    const start = before;
    const packed = await packPart(target, part, {
      ...request,
      onProgress: (doneBytes) => request.onProgress?.(start + doneBytes, totalBytes),
    });
    before += part.input.sizeBytes;
    parts.push(packed.part);
    requireReadable(doing, request, parts);
    for (const pack of packed.packs) packs.set(pack.digest, pack);
  }
  const config = encodeConfig(configOf(request, parts));
  const configBlob = { digest: digestOf(config), sizeBytes: config.length };
  await target.put(configBlob, () => onePiece(config));
  const all = [...packs.values()];
  const manifest = encodeManifest({
    config: configBlob,
    tables: parts.map(({ table }) => table),
    attachments: request.attachments ?? [],
    packs: all,
  });
  if (manifest.bytes.length > MAX_MANIFEST_BYTES)
    throw new BadImage(doing, 'its manifest is larger than registries take', {
      expected: `at most ${MAX_MANIFEST_BYTES}`,
      found: manifest.bytes.length,
    });
  await target.putManifest(manifest, request.tag);
  return {
    digest: manifest.digest,
    manifest: { digest: manifest.digest, sizeBytes: manifest.bytes.length },
    blobs: [configBlob, ...parts.map(({ table: { digest, sizeBytes } }) => ({ digest, sizeBytes })), ...all],
    parts,
    packedBytes: all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

function configOf({ name, attachments = [] }: PackRequest, parts: readonly Part[]): ImageConfig {
  return {
    version: 1,
    ...(name !== undefined && { name }),
    parts,
    ...(attachments.length > 0 && { attachments: [...attachments] }),
  };
}

/**
 * Nobody packs what nobody can read, nor for an hour before it is said: a reader judges the configuration as far as it is known.
 * @param packed the first parts; of the others, what they will have at least
 * @throws BadImage
 */
function requireReadable(doing: string, request: PackRequest, packed: readonly Part[]): void {
  const rest = request.parts.slice(packed.length).map(({ input: { sizeBytes }, ...about }): Part => {
    const digest = digestOf('');
    const table = { digest, sizeBytes: 0, rawBytes: tableBytes(0, 0) };
    return { ...about, sizeBytes, blockBytes: BLOCK_BYTES, digest, dataBytes: 0, table };
  });
  const known = configOf(request, [...packed, ...rest]);
  decodeConfig(`${doing}: its configuration`, Buffer.from(JSON.stringify(known)));
}
