/** What the probe found out about a machine. No device node is named: `/dev/sda` changes between boots. */
import { z } from 'zod';
import { transportSchema } from './storage.ts';

/** Something that is on a disk, as `blkid -p` sees it. */
export const diskContentSchema = z.strictObject({
  /** Partition number, or 0 for the whole disk. */
  partition: z.number().int().min(0),
  /** `gpt`, `dos`, `ext4`, `LVM2_member`, `linux_raid_member`, `crypto_LUKS`, …, or `unknown` for bytes nobody knows. */
  type: z.string(),
  label: z.string().optional(),
  uuid: z.string().optional(),
  sizeBytes: z.number().int().optional(),
});

/** One disk. */
export const diskFactsSchema = z.strictObject({
  /**
   * Stable identity: `wwn:…`, else `serial:…`, else `path:…` (by-path), or `file:/absolute/path` for a disk image.
   */
  id: z.string().min(1),
  wwn: z.string().optional(),
  serial: z.string().optional(),
  model: z.string().optional(),
  vendor: z.string().optional(),
  byPath: z.string().optional(),
  sizeBytes: z.number().int().nonnegative(),
  logicalSectorBytes: z.number().int().positive(),
  physicalSectorBytes: z.number().int().positive(),
  transport: transportSchema,
  rotational: z.boolean(),
  removable: z.boolean(),
  readOnly: z.boolean(),
  /** The disk the installer itself was started from. */
  installMedium: z.boolean(),
  contents: z.array(diskContentSchema),
  /** Who uses it now: `mount:/srv`, `swap`, `dm:crypt-home`, `md:md0`, … */
  holders: z.array(z.string()),
});

export const networkInterfaceFactsSchema = z.strictObject({
  name: z.string(),
  mac: z.string(),
  driver: z.string().optional(),
  speedMbps: z.number().optional(),
  wireless: z.boolean(),
});

export const factsSchema = z.strictObject({
  apiVersion: z.literal('iguana/v1'),
  kind: z.literal('Facts'),
  machine: z.strictObject({
    id: z.string(),
    uuid: z.string().optional(),
    manufacturer: z.string().optional(),
    product: z.string().optional(),
    serial: z.string().optional(),
  }),
  firmware: z.strictObject({
    type: z.enum(['uefi', 'bios']),
    /** `assumed` where the disk is an image for a machine that is not here. */
    basis: z.enum(['detected', 'assumed']),
    secureBoot: z.boolean().optional(),
  }),
  architecture: z.enum(['amd64', 'arm64', 'other']),
  cpu: z.strictObject({ model: z.string(), cores: z.number().int(), threads: z.number().int() }),
  memoryBytes: z.number().int(),
  disks: z.array(diskFactsSchema),
  network: z.array(networkInterfaceFactsSchema),
  tpm: z.strictObject({ present: z.boolean(), version: z.string().optional() }),
});

/** @see factsSchema */
export type Facts = z.infer<typeof factsSchema>;
/** @see diskFactsSchema */
export type DiskFacts = z.infer<typeof diskFactsSchema>;
/** @see diskContentSchema */
export type DiskContent = z.infer<typeof diskContentSchema>;
