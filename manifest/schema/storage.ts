/** Which disk, and what is put on it. */
import { z } from 'zod';
import { sizeSchema, targetPathSchema } from './common.ts';

/** How a disk is attached, as the probe names it. */
export const transportSchema = z.enum([
  'nvme',
  'sata',
  'sas',
  'scsi',
  'usb',
  'virtio',
  'mmc',
  'file',
  'unknown',
]);

const globSchema = z.string().min(1).max(256).meta({ description: 'A value, or a pattern with * and ?.' });

/** Conditions over the facts of a disk; all that are given must hold. */
export const diskMatchSchema = z.strictObject({
  id: globSchema
    .optional()
    .meta({ description: 'Iguana’s identity of the disk, e.g. wwn:0x5000c500a1b2c3d4.' }),
  wwn: globSchema.optional().meta({ description: 'World Wide Name; a value, or a pattern with * and ?.' }),
  serial: globSchema.optional().meta({ description: 'Serial number; a value, or a pattern with * and ?.' }),
  model: globSchema.optional().meta({ description: 'Model; a value, or a pattern with * and ?.' }),
  vendor: globSchema.optional().meta({ description: 'Vendor; a value, or a pattern with * and ?.' }),
  byPath: globSchema.optional().meta({ description: 'Where it is plugged in, as in /dev/disk/by-path.' }),
  transport: z
    .union([transportSchema, z.array(transportSchema).min(1)])
    .optional()
    .meta({ description: 'How the disk is attached: one of these, or a list of them.' }),
  rotational: z.boolean().optional().meta({ description: 'true for a hard disk, false for flash.' }),
  removable: z.boolean().optional().meta({ description: 'Whether the disk says that it can be taken out.' }),
  size: z
    .strictObject({ min: sizeSchema.optional(), max: sizeSchema.optional() })
    .optional()
    .meta({ description: 'Limits of the size, both inclusive.' }),
});

/** Which disk is meant. */
export const diskChoiceSchema = z.strictObject({
  match: diskMatchSchema.meta({
    description: 'Conditions over the facts of a disk; all must hold. None: any disk.',
  }),
  order: z
    .array(z.enum(['size', '-size', 'id', '-id', 'rotational', '-rotational', 'transport']))
    .meta({ description: 'Order of the disks that match; - means descending.' }),
  limit: z.number().int().min(1).optional().meta({
    description:
      'Take the first so many of the ordered list. Without a limit, more than one match is an error, never a guess.',
  }),
});

/** Filesystems that Iguana makes. */
export const filesystemSchema = z.enum(['ext4', 'xfs', 'btrfs', 'vfat', 'swap']);

/** Roles of a partition: a GPT type of the Discoverable Partitions Specification by its systemd name. */
export const partitionTypeSchema = z.enum([
  'esp',
  'xbootldr',
  'root',
  'usr',
  'home',
  'srv',
  'var',
  'tmp',
  'swap',
  'linux-generic',
]);

/** How large a partition shall be. */
export const partitionSizeSchema = z.union([
  sizeSchema.meta({ description: 'Exactly this size.' }),
  z.strictObject({ min: sizeSchema }).meta({ description: 'At least this size; shares what is left.' }),
  z.literal('rest').meta({ description: 'What is left, shared with others that say so.' }),
]);

/** One partition. */
export const partitionSchema = z.strictObject({
  label: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,36}$/, 'a label of at most 36 letters, digits, _ . -')
    .meta({ description: 'GPT label; layers are merged by it.' }),
  type: partitionTypeSchema.meta({
    description: 'Role of the partition: a GPT type by its systemd name, see repart.d(5).',
  }),
  size: partitionSizeSchema.meta({
    description:
      'An exact size; `{min: SIZE}` for at least that; or `rest`. What exact sizes leave is shared equally by the others.',
  }),
  filesystem: filesystemSchema
    .optional()
    .meta({ description: 'Default: vfat for esp, swap for swap, else ext4.' }),
  filesystemLabel: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,11}$/, 'a label of at most 11 letters, digits, _ . -')
    .optional()
    .meta({ description: 'Label of the filesystem. Default: none.' }),
  mountPoint: targetPathSchema.optional().meta({
    description:
      'Where it is mounted. Default by type: root /, esp /efi, xbootldr /boot, usr /usr, home /home, srv /srv, var /var, tmp /var/tmp; else nowhere.',
  }),
  mountOptions: z
    .array(z.string().regex(/^[!-+\-.-~]+$/, 'one mount option'))
    .default([])
    .meta({ description: 'Mount options, see mount(8).' }),
});

/** What to do with what is on the disk. */
export const existingDataSchema = z.enum(['refuse', 'erase']);

/** The storage part of a profile. */
export const storageSchema = z.strictObject({
  disk: diskChoiceSchema.meta({ description: 'Which disk.' }),
  existingData: existingDataSchema.meta({
    description:
      'refuse: a disk that holds anything is not touched. erase: it may be erased, after approval.',
  }),
  partitions: z
    .array(partitionSchema)
    .min(1)
    .max(64)
    .meta({ description: 'In the order they have on the disk; merged by label.' }),
});
