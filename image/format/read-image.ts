/** Reading what an image consists of, from wherever it is, and trusting nothing of it before it is verified. */
import type { Digest } from '../digest.ts';
import type { BlobDescriptor, ImageSource, ManifestBytes } from '../source/source.ts';
import { blobsOf, type Descriptor, parseOciManifest } from '../transfer/oci-manifest.ts';
import type { ChunkTable } from './chunk-table.ts';
import { type Attachment, decodeConfig, type Part } from './config.ts';
import { decodeTable, maxTableBytes } from './decode-table.ts';
import { BadImage } from './errors.ts';
import { readLargeTable } from './large-table.ts';
import { MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, maxPackedBytes } from './limits.ts';
import { ARTIFACT_TYPE, ATTACHMENT_TYPE, CONFIG_TYPE, PACK_TYPE, TABLE_TYPE } from './media-types.ts';

/** Of all parts together, raw; larger ones lie in files, so that a writer needs no more memory for them. */
const MAX_TABLES_IN_MEMORY = 8 * 2 ** 20;

/** One part of an image with its verified table. */
export interface ImagePart extends Part {
  readonly chunks: ChunkTable;
}

/** An image that has been read: its manifest, and everything but the packs. */
export interface Image {
  /** Digest of the manifest: what a signature signs. */
  readonly digest: Digest;
  readonly name?: string;
  readonly parts: readonly ImagePart[];
  /** Files that belong to it; read by who needs them. */
  readonly attachments: readonly Attachment[];
  /** All that the manifest names, but for the attachments. */
  readonly blobs: readonly BlobDescriptor[];
  /** Of the manifest itself, the configuration and the tables. */
  readonly headBytes: number;
  /** Of all packs. */
  readonly packedBytes: number;
}

/**
 * Reads the image at a source.
 * @param manifest where it has been read already, to verify its signature
 * @throws BadImage for an image that breaks the format; the source's errors for bytes that do not come, or are others than
 *   their digest says
 */
export async function readImage(
  source: ImageSource,
  options: { readonly manifest?: ManifestBytes; readonly signal?: AbortSignal } = {},
): Promise<Image> {
  const { signal } = options;
  const manifest = options.manifest ?? (await source.manifest(signal));
  const doing = `reading the image ${manifest.digest} of ${source.name}`;
  const { config, layers } = parseImageManifest(doing, source.name, manifest);
  const configBlob = await source.blob(bounded(doing, 'the configuration', config, MAX_CONFIG_BYTES), signal);
  const { name, parts, attachments = [] } = decodeConfig(`${doing}: its configuration`, configBlob);
  const tables = layers.filter(({ mediaType }) => mediaType === TABLE_TYPE);
  const packs = new Map(
    layers.filter(({ mediaType }) => mediaType === PACK_TYPE).map((pack) => [pack.digest, pack.size]),
  );
  const tableBytes = parts.reduce((sum, { table }) => sum + table.rawBytes, 0);
  const isLarge = tableBytes > MAX_TABLES_IN_MEMORY;
  const read: ImagePart[] = [];
  for (const part of parts) {
    const what = `the chunk table of ${part.name}`;
    const { digest, sizeBytes } = part.table;
    if (!tables.some((table) => table.digest === digest && table.size === sizeBytes))
      throw new BadImage(doing, `${what} is not a layer of the manifest`, { expected: digest });
    const blob = bounded(doing, what, { digest, size: sizeBytes }, maxPackedBytes(maxTableBytes(part)));
    const chunks = isLarge
      ? await readLargeTable(`${doing}: ${what}`, { source, blob, signal }, part)
      : decodeTable(`${doing}: ${what}`, await source.blob(blob, signal), part);
    const stranger = chunks.packs.find((pack) => packs.get(pack.digest) !== pack.sizeBytes);
    if (stranger)
      throw new BadImage(doing, `${what} names a pack that is not a layer of the manifest`, {
        found: `${stranger.digest} of ${stranger.sizeBytes} bytes`,
      });
    read.push({ ...part, chunks });
  }
  const attached = layers.filter(({ mediaType }) => mediaType === ATTACHMENT_TYPE);
  const loose = attachments.find(
    ({ digest, sizeBytes }) => !attached.some((layer) => layer.digest === digest && layer.size === sizeBytes),
  );
  if (loose)
    throw new BadImage(doing, `the attachment ${loose.name} is not a layer of the manifest`, {
      expected: loose.digest,
    });
  const heads = [config.size, ...tables.map(({ size }) => size)];
  return {
    digest: manifest.digest,
    ...(name !== undefined && { name }),
    parts: read,
    attachments,
    blobs: blobsOf({ config, layers: layers.filter(({ mediaType }) => mediaType !== ATTACHMENT_TYPE) }),
    headBytes: heads.reduce((sum, size) => sum + size, manifest.bytes.length),
    packedBytes: [...packs.values()].reduce((sum, size) => sum + size, 0),
  };
}

function parseImageManifest(doing: string, name: string, manifest: ManifestBytes) {
  if (manifest.bytes.length > MAX_MANIFEST_BYTES)
    throw new BadImage(doing, 'its manifest is too large', {
      expected: `at most ${MAX_MANIFEST_BYTES}`,
      found: manifest.bytes.length,
    });
  const parsed = parseOciManifest(name, manifest);
  const { artifactType, config, layers } = parsed;
  if (artifactType !== ARTIFACT_TYPE || config.mediaType !== CONFIG_TYPE)
    throw new BadImage(doing, 'it is something else than an Iguana image', {
      expected: ARTIFACT_TYPE,
      found: artifactType ?? config.mediaType,
    });
  const known: readonly string[] = [TABLE_TYPE, ATTACHMENT_TYPE, PACK_TYPE];
  const other = layers.find(({ mediaType }) => !known.includes(mediaType));
  if (other) throw new BadImage(doing, 'a layer of another kind', { found: other.mediaType });
  return parsed;
}

/** What is held in memory is bounded before it is asked for. */
function bounded(
  doing: string,
  what: string,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  most: number,
): BlobDescriptor {
  if (size > most)
    throw new BadImage(doing, `${what} is too large`, { expected: `at most ${most}`, found: size });
  return { digest, sizeBytes: size };
}
