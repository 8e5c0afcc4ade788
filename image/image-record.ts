/** What the store keeps of an image beside its blobs. */
import { z } from 'zod';

const digestSchema = z.templateLiteral(['sha256:', z.string().regex(/^[0-9a-f]{64}$/)]);
const blobSchema = z.strictObject({ digest: digestSchema, sizeBytes: z.number().int().nonnegative() });

/** A record as it lies in the store. A record of another version is none: the image is built again. */
export const imageRecordSchema = z.strictObject({
  version: z.literal(2),
  /** Under which it is found: digest of the image part of the manifest. */
  imageDigest: digestSchema,
  rootFilesystem: z.enum(['ext4', 'xfs', 'btrfs']),
  /** Manifest of the Iguana image whose one part is the root filesystem. */
  image: blobSchema,
  /** All that this manifest names: configuration, chunk table, packs. */
  imageBlobs: z.array(blobSchema),
  /** Size of the root filesystem. */
  rootBytes: z.number().int().positive(),
  /** Bytes of it that are not in runs of zeros. */
  dataBytes: z.number().int().nonnegative(),
  /** tar of what goes onto the ESP. */
  esp: blobSchema,
  /** List of all files, see `file-list.ts`. */
  files: blobSchema,
  /** CycloneDX. */
  sbom: blobSchema,
  packageCount: z.number().int().nonnegative(),
  /** ISO 8601. */
  createdAt: z.string(),
});

/** @see imageRecordSchema */
export type ImageRecord = z.infer<typeof imageRecordSchema>;

/** A blob by digest and size. */
export type Blob = z.infer<typeof blobSchema>;

/** Every blob that an image needs. */
export const blobsOf = ({ image, imageBlobs, esp, files, sbom }: ImageRecord): readonly Blob[] => [
  image,
  ...imageBlobs,
  esp,
  files,
  sbom,
];
