/** The configuration of an image: the parts that it consists of. */
import { z } from 'zod';
import { digestSchema } from '../source/reference.ts';
import { BadImage } from './errors.ts';
import { BLOCK_BYTES, MAX_ATTACHMENTS, MAX_CONFIG_BYTES, MAX_PART_BYTES, MAX_PARTS } from './limits.ts';

const bytes = z.number().int().nonnegative();
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/);

/** One part of an image. */
export const partSchema = z.strictObject({
  /** Unique in the image: `disk`, or the partition's label. */
  name,
  /** A whole disk with its partition table, or the content of one partition. */
  kind: z.enum(['disk', 'partition']),
  /** Raw size. */
  sizeBytes: bytes.max(MAX_PART_BYTES),
  /** What offsets and lengths of chunks are multiples of. */
  blockBytes: z.literal(BLOCK_BYTES),
  /** Of a partition, where it has one. */
  filesystem: z.string().min(1).max(32).optional(),
  /** SHA-256 of the raw bytes, zeros and all: what `sha256sum` says of the unpacked file. */
  digest: digestSchema,
  /** Raw bytes of the chunks: what is not zero. */
  dataBytes: bytes.max(MAX_PART_BYTES),
  /** The chunk table: a blob of the image, and its size when it is decompressed. */
  table: z.strictObject({ digest: digestSchema, sizeBytes: bytes, rawBytes: bytes }),
});

/** A file that belongs to the image and is on none of its disks: a blob of the image. */
export const attachmentSchema = z.strictObject({
  /** Unique among the attachments. */
  name,
  digest: digestSchema,
  sizeBytes: bytes.max(MAX_PART_BYTES),
});

/** The configuration. */
export const configSchema = z.strictObject({
  version: z.literal(1),
  /** For people. */
  name: z.string().min(1).max(256).optional(),
  parts: z.array(partSchema).min(1).max(MAX_PARTS),
  attachments: z.array(attachmentSchema).min(1).max(MAX_ATTACHMENTS).optional(),
});

/** @see partSchema */
export type Part = z.infer<typeof partSchema>;
/** @see attachmentSchema */
export type Attachment = z.infer<typeof attachmentSchema>;
/** @see configSchema */
export type ImageConfig = z.infer<typeof configSchema>;

/** @returns the bytes of the blob; the same configuration gives the same bytes */
export const encodeConfig = (config: ImageConfig): Buffer =>
  Buffer.from(JSON.stringify(configSchema.parse(config)));

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
    config = configSchema.parse(JSON.parse(blob.toString()));
  } catch (cause) {
    throw new BadImage(doing, 'it is no configuration of an Iguana image, or of a newer version', { cause });
  }
  requireDifferentNames(doing, 'parts', config.parts);
  requireDifferentNames(doing, 'attachments', config.attachments ?? []);
  return config;
}

function requireDifferentNames(doing: string, what: string, all: readonly { readonly name: string }[]): void {
  const names = all.map((each) => each.name);
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined) throw new BadImage(doing, `two ${what} are called ${twice}`);
}
