/** What the store keeps of an image beside its blobs. */
import { z } from 'zod';
import { digestSchema } from '../image/digest-schema.ts';

const blobSchema = z.strictObject({ digest: digestSchema, sizeBytes: z.number().int().nonnegative() });

/** Where an image that was not built here came from. */
const originSchema = z.strictObject({
  /** Without credentials. */
  reference: z.string(),
  /** Whose signature was verified; absent where none was asked for. */
  signer: z.strictObject({ keyId: digestSchema, identity: z.string() }).optional(),
});

/** A record as it lies in the store. A record of another version is none: the image is built again. */
export const imageRecordSchema = z.strictObject({
  version: z.literal(3),
  /** Under which it is found: digest of the image part of the manifest. */
  imageDigest: digestSchema,
  rootFilesystem: z.enum(['ext4', 'xfs', 'btrfs']),
  /** Manifest of the Iguana image whose one part is the root filesystem. */
  image: blobSchema,
  /** All that this manifest names, but for the attachments: configuration, chunk table, packs. */
  imageBlobs: z.array(blobSchema),
  /** Size of the root filesystem. */
  rootBytes: z.number().int().positive(),
  /** Bytes of it that are not in runs of zeros. */
  dataBytes: z.number().int().nonnegative(),
  /** Attachment: tar of what goes onto the ESP. */
  esp: blobSchema,
  /** Attachment: list of all files, see `file-list.ts`. */
  files: blobSchema,
  /** Attachment: CycloneDX. */
  sbom: blobSchema,
  packageCount: z.number().int().nonnegative(),
  /** Absent where it was built here. */
  origin: originSchema.optional(),
  /** ISO 8601. */
  createdAt: z.string(),
});

/** @see imageRecordSchema */
export type ImageRecord = z.infer<typeof imageRecordSchema>;

/** @see originSchema */
export type ImageOrigin = z.infer<typeof originSchema>;

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
