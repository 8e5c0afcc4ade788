/** The document that Iguana makes of profile layers and facts: complete, no choice left open. */
import { z } from 'zod';
import { API_VERSION, digestSchema } from './common.ts';
import { fileSchema, imageSchema, repositorySchema } from './image.ts';
import { confirmationSchema, handoffSchema, interfaceSchema, machineSchema, userSchema } from './machine.ts';
import { existingDataSchema, filesystemSchema, partitionTypeSchema } from './storage.ts';

const resolvedFileSchema = fileSchema.omit({ source: true }).required({ content: true });
const resolvedScriptSchema = z.strictObject({ name: z.string(), content: z.string() });

/** What determines the image, and nothing else: its canonical digest is the image's identity. */
export const manifestImageSchema = imageSchema.extend({
  repositories: z.array(repositorySchema.required({ uri: true })),
  files: z.array(resolvedFileSchema),
  scripts: z.array(resolvedScriptSchema),
  rootFilesystem: z.enum(['ext4', 'xfs', 'btrfs']),
});

/** A partition with its exact place. */
export const manifestPartitionSchema = z.strictObject({
  label: z.string(),
  type: partitionTypeSchema,
  /** Bytes from the start of the disk; a multiple of 1 MiB. */
  offsetBytes: z.number().int().positive(),
  /** Bytes; a multiple of 4096. */
  sizeBytes: z.number().int().positive(),
  filesystem: filesystemSchema,
  filesystemLabel: z.string().optional(),
  mountPoint: z.string().optional(),
  mountOptions: z.array(z.string()),
});

export const manifestSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal('Manifest'),
    name: z.string().optional(),
    inputs: z
      .array(
        z.strictObject({
          kind: z.enum(['layer', 'facts', 'answers', 'file']),
          name: z.string(),
          digest: digestSchema,
        }),
      )
      .meta({ description: 'Everything this manifest was made of, with digests.' }),
    imageDigest: digestSchema.meta({ description: 'Canonical digest of `image`.' }),
    image: manifestImageSchema,
    storage: z.strictObject({
      disk: z.strictObject({
        id: z.string(),
        sizeBytes: z.number().int().positive(),
        sectorBytes: z.number().int(),
      }),
      existingData: existingDataSchema,
      partitions: z.array(manifestPartitionSchema),
    }),
    machine: machineSchema.extend({
      network: z.array(interfaceSchema),
      users: z.array(userSchema),
      files: z.array(resolvedFileSchema),
      firstBoot: z.array(resolvedScriptSchema),
    }),
    handoff: handoffSchema,
    confirmation: confirmationSchema,
  })
  .meta({
    title: 'Iguana manifest',
    description: 'What is installed on one machine: complete, with the digest of every input.',
  });

/** @see manifestSchema */
export type Manifest = z.infer<typeof manifestSchema>;
/** @see manifestImageSchema */
export type ManifestImage = z.infer<typeof manifestImageSchema>;
/** @see manifestPartitionSchema */
export type ManifestPartition = z.infer<typeof manifestPartitionSchema>;
