/** The configuration of an image: the parts that it consists of. */
import type { Digest } from '../digest.ts';
import { Fields } from '../json-fields.ts';
import { MAX_TABLE_BYTES } from './decode-table.ts';
import { BadImage } from './errors.ts';
import { BLOCK_BYTES, MAX_ATTACHMENTS, MAX_CONFIG_BYTES, MAX_PART_BYTES, MAX_PARTS } from './limits.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** One part of an image. */
export interface Part {
  /** Unique in the image: `disk`, or the partition's label. */
  readonly name: string;
  /** A whole disk with its partition table, or the content of one partition. */
  readonly kind: 'disk' | 'partition';
  /** Raw size. */
  readonly sizeBytes: number;
  /** What offsets and lengths of chunks are multiples of. */
  readonly blockBytes: typeof BLOCK_BYTES;
  /** Of a partition, where it has one; of no disk. */
  readonly filesystem?: string;
  /** SHA-256 of the raw bytes, zeros and all: what `sha256sum` says of the unpacked file. */
  readonly digest: Digest;
  /** Raw bytes of the chunks: what is not zero. */
  readonly dataBytes: number;
  /** The chunk table: a blob of the image, and its size when it is decompressed. */
  readonly table: { readonly digest: Digest; readonly sizeBytes: number; readonly rawBytes: number };
}

/** A file that belongs to the image and is on none of its disks: a blob of the image. */
export interface Attachment {
  /** Unique among the attachments. */
  readonly name: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** The configuration. */
export interface ImageConfig {
  readonly version: 1;
  /** For people. */
  readonly name?: string;
  readonly parts: readonly Part[];
  readonly attachments?: readonly Attachment[];
}

/** @returns the bytes of the blob; the same configuration gives the same bytes */
export const encodeConfig = (config: ImageConfig): Buffer => Buffer.from(JSON.stringify(configOf(config)));

/**
 * @param doing for messages: `reading the configuration of IMAGE`
 * @throws BadImage
 */
export function decodeConfig(doing: string, blob: Buffer): ImageConfig {
  if (blob.length > MAX_CONFIG_BYTES)
    throw new BadImage(doing, 'it is too large', {
      expected: `at most ${MAX_CONFIG_BYTES}`,
      found: blob.length,
    });
  let config: ImageConfig;
  try {
    config = configOf(JSON.parse(blob.toString()));
  } catch (cause) {
    throw new BadImage(doing, 'it is no configuration of an Iguana image, or of a newer version', { cause });
  }
  requireDifferentNames(doing, 'parts', config.parts);
  requireDifferentNames(doing, 'attachments', config.attachments ?? []);
  // Parts may share a table, so that a small image could have many large ones.
  const tableBytes = config.parts.reduce((sum, { table }) => sum + table.rawBytes, 0);
  if (tableBytes > MAX_TABLE_BYTES)
    throw new BadImage(doing, 'pack its parts as several images: its chunk tables are too large together', {
      expected: `at most ${MAX_TABLE_BYTES}`,
      found: tableBytes,
    });
  return config;
}

/** In the order of the specification, whatever the order was. */
function configOf(json: unknown): ImageConfig {
  const fields = new Fields(json, 'configuration').only('version', 'name', 'parts', 'attachments');
  return {
    version: fields.oneOf('version', 1),
    ...(fields.has('name') && { name: fields.text('name', { most: 256 }) }),
    parts: fields.objects('parts', { least: 1, most: MAX_PARTS }).map(partOf),
    ...(fields.has('attachments') && {
      attachments: fields.objects('attachments', { least: 1, most: MAX_ATTACHMENTS }).map(attachmentOf),
    }),
  };
}

function partOf(fields: Fields): Part {
  const kind = fields.oneOf('kind', 'disk', 'partition');
  if (kind === 'disk') fields.without('filesystem', 'a disk has no filesystem');
  fields.only('name', 'kind', 'sizeBytes', 'blockBytes', 'filesystem', 'digest', 'dataBytes', 'table');
  const table = fields.object('table').only('digest', 'sizeBytes', 'rawBytes');
  return {
    name: fields.text('name', { pattern: NAME }),
    kind,
    sizeBytes: fields.count('sizeBytes', MAX_PART_BYTES, 1),
    blockBytes: fields.oneOf('blockBytes', BLOCK_BYTES),
    ...(fields.has('filesystem') && { filesystem: fields.text('filesystem', { most: 32 }) }),
    digest: fields.digest('digest'),
    dataBytes: fields.count('dataBytes', MAX_PART_BYTES),
    table: {
      digest: table.digest('digest'),
      sizeBytes: table.count('sizeBytes'),
      rawBytes: table.count('rawBytes'),
    },
  };
}

function attachmentOf(fields: Fields): Attachment {
  fields.only('name', 'digest', 'sizeBytes');
  return {
    name: fields.text('name', { pattern: NAME }),
    digest: fields.digest('digest'),
    sizeBytes: fields.count('sizeBytes', MAX_PART_BYTES),
  };
}

function requireDifferentNames(doing: string, what: string, all: readonly { readonly name: string }[]): void {
  const names = all.map((each) => each.name);
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined) throw new BadImage(doing, `two ${what} are called ${twice}`);
}
