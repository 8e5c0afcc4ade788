/** The document that Iguana makes of profile layers and facts: complete, no choice left open. */
import { z } from 'zod';
import { API_VERSION, digestSchema } from './common.ts';
import { fileSchema, imageSchema, repositorySchema, scriptSchema } from './image.ts';
import { confirmationSchema, handoffSchema, interfaceSchema, machineSchema, userSchema } from './machine.ts';
import { existingDataSchema, filesystemSchema, partitionSchema } from './storage.ts';

const resolvedFileSchema = fileSchema.omit({ source: true }).required({ content: true });
const resolvedScriptSchema = scriptSchema.omit({ source: true }).required({ content: true });

/** What determines the image, and nothing else: its canonical digest is the image's identity. */
export const manifestImageSchema = imageSchema.extend({
  repositories: z
    .array(repositorySchema.required({ uri: true }))
    .meta({ description: 'Where packages come from; sorted by name.' }),
  files: z.array(resolvedFileSchema).meta({ description: 'Files to add; sorted by path.' }),
  scripts: z.array(resolvedScriptSchema).meta({ description: 'Build scripts, in order.' }),
  rootFilesystem: z
    .enum(['ext4', 'xfs', 'btrfs'])
    .meta({ description: 'Filesystem that the image is made as: that of the root partition.' }),
});

/** A partition with its exact place. */
export const manifestPartitionSchema = z.strictObject({
  label: partitionSchema.shape.label,
  type: partitionSchema.shape.type,
  offsetBytes: z
    .number()
    .int()
    .positive()
    .meta({ description: 'Bytes from the start of the disk; a multiple of 1 MiB.' }),
  sizeBytes: z.number().int().positive().meta({ description: 'Bytes; a multiple of 1 MiB.' }),
  filesystem: filesystemSchema.meta({ description: 'Filesystem.' }),
  filesystemLabel: partitionSchema.shape.filesystemLabel,
  mountPoint: partitionSchema.shape.mountPoint.meta({
    description: 'Where it is mounted; absent for nowhere.',
  }),
  mountOptions: partitionSchema.shape.mountOptions,
});

const inputSchema = z.strictObject({
  kind: z.enum(['layer', 'facts', 'answers', 'file']).meta({ description: 'What it is.' }),
  name: z.string().meta({ description: 'Name of the layer’s file, or id of the machine.' }),
  digest: digestSchema,
});

const diskSchema = z.strictObject({
  id: z.string().meta({ description: 'Identity of the chosen disk, e.g. wwn:0x5000c500a1b2c3d4.' }),
  sizeBytes: z.number().int().positive().meta({ description: 'Size of the disk in bytes.' }),
  sectorBytes: z.number().int().positive().meta({ description: 'Logical sector size in bytes.' }),
});

export const manifestSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION).meta({ description: 'The version of this format.' }),
    kind: z.literal('Manifest').meta({ description: 'The kind of this document.' }),
    name: z.string().optional().meta({ description: 'Name of the profile, for people.' }),
    inputs: z.array(inputSchema).meta({ description: 'Everything this manifest was made of, with digests.' }),
    imageDigest: digestSchema.meta({ description: 'Canonical digest (RFC 8785, SHA-256) of `image`.' }),
    image: manifestImageSchema.meta({ description: 'What determines the image, and nothing else.' }),
    storage: z
      .strictObject({
        disk: diskSchema.meta({ description: 'The chosen disk.' }),
        existingData: existingDataSchema.meta({ description: 'What may be done with what is on the disk.' }),
        partitions: z.array(manifestPartitionSchema).meta({ description: 'In the order on the disk.' }),
      })
      .meta({ description: 'The chosen disk, and what is put on it.' }),
    machine: machineSchema
      .extend({
        hostname: z.string().meta({ description: 'Host name.' }),
        network: z.array(interfaceSchema).meta({ description: 'Network interfaces.' }),
        users: z.array(userSchema).meta({ description: 'Users; secrets stay references.' }),
        files: z.array(resolvedFileSchema).meta({ description: 'Files of this machine; sorted by path.' }),
        firstBoot: z.array(resolvedScriptSchema).meta({ description: 'First-boot scripts, in order.' }),
      })
      .meta({ description: 'What differs between machines.' }),
    handoff: handoffSchema.meta({ description: 'What happens when the disk is written.' }),
    confirmation: confirmationSchema.meta({ description: 'How an install is known to have succeeded.' }),
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
