/**
 * The document that people write: any part may be missing, and documents are layered.
 *
 * Lists of named things are merged by key (see `layers.ts`), so an entry of a layer needs its key only: it may change
 * one field of what an earlier layer says, or remove the entry.
 */
import { z } from 'zod';
import { API_VERSION } from './common.ts';
import {
  fileSchema,
  imageFromSchema,
  imageSchema,
  packageNameSchema,
  repositorySchema,
  scriptSchema,
  serviceSchema,
} from './image.ts';
import {
  confirmationSchema,
  groupSchema,
  handoffSchema,
  interfaceSchema,
  machineSchema,
  userSchema,
} from './machine.ts';
import { diskChoiceSchema, partitionSchema, storageSchema } from './storage.ts';

const removeSchema = z
  .literal(true)
  .optional()
  .meta({ description: 'Only in profiles: removes the entry of this key that an earlier layer has.' });

/** What a layer may say instead of a package or kernel option. */
const removedPackageSchema = z
  .string()
  .regex(/^-[a-z0-9][a-z0-9+.-]+$/, '- and a package name')
  .meta({ description: '-NAME takes NAME off the list of earlier layers.' });
const removedOptionSchema = z
  .string()
  .regex(/^-[!-~]+$/, '- and a kernel option')
  .meta({ description: '-OPTION takes OPTION off the list of earlier layers.' });

const layerImageSchema = imageSchema
  .extend({
    packages: z
      .array(z.union([packageNameSchema, removedPackageSchema]))
      .meta({ description: 'Packages to install; layers add to the list, and -NAME removes.' }),
    kernel: imageSchema.shape.kernel
      .extend({
        cmdline: z
          .array(z.union([imageSchema.shape.kernel.shape.cmdline.element, removedOptionSchema]))
          .meta({
            description: 'Options on the kernel command line; layers add to the list, and -OPTION removes.',
          }),
      })
      .partial()
      .meta({ description: 'The kernel and its command line.' }),
    repositories: z
      .array(repositorySchema.partial().required({ name: true }).extend({ remove: removeSchema }))
      .meta({ description: 'Where packages come from; merged by name.' }),
    files: z
      .array(fileSchema.partial().required({ path: true }).extend({ remove: removeSchema }))
      .meta({ description: 'Files to add; merged by path.' }),
    services: z
      .array(serviceSchema.partial().required({ name: true }).extend({ remove: removeSchema }))
      .meta({ description: 'systemd units to enable, disable or mask; merged by name.' }),
    scripts: z
      .array(scriptSchema.partial().required({ name: true }).extend({ remove: removeSchema }))
      .meta({ description: 'Scripts run in the image when it is built, in order; merged by name.' }),
    from: imageFromSchema.partial().meta({
      description:
        'An image that was built elsewhere, instead of building one; what describes a build is left out then.',
    }),
  })
  .partial();

const layerStorageSchema = storageSchema
  .extend({
    disk: diskChoiceSchema.partial().meta({ description: 'Which disk.' }),
    partitions: z
      .array(partitionSchema.partial().required({ label: true }).extend({ remove: removeSchema }))
      .max(64)
      .meta({ description: 'In the order they have on the disk; merged by label.' }),
  })
  .partial();

const layerMachineSchema = machineSchema
  .extend({
    network: z
      .array(interfaceSchema.partial().required({ name: true }).extend({ remove: removeSchema }))
      .meta({ description: 'Network interfaces; merged by name.' }),
    users: z
      .array(userSchema.partial().required({ name: true }).extend({ remove: removeSchema }))
      .meta({ description: 'Users; merged by name. `root` may be one of them.' }),
    groups: z
      .array(groupSchema.partial().required({ name: true }).extend({ remove: removeSchema }))
      .meta({ description: 'Groups to create; merged by name.' }),
    files: z
      .array(fileSchema.partial().required({ path: true }).extend({ remove: removeSchema }))
      .meta({ description: 'Files for this machine only; merged by path.' }),
    firstBoot: z
      .array(scriptSchema.partial().required({ name: true }).extend({ remove: removeSchema }))
      .meta({ description: 'Scripts run once, in order, at the first boot; merged by name.' }),
  })
  .partial();

/** One layer. */
export const profileSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION).meta({ description: 'The version of this format.' }),
    kind: z.literal('Profile').meta({ description: 'The kind of this document.' }),
    name: z.string().min(1).max(128).optional().meta({ description: 'For people; shown in the history.' }),
    image: layerImageSchema
      .optional()
      .meta({ description: 'What goes into the image, the same for all machines that share it.' }),
    storage: layerStorageSchema.optional().meta({ description: 'Which disk, and what is put on it.' }),
    machine: layerMachineSchema
      .optional()
      .meta({ description: 'What differs between machines; nothing of it is in the image.' }),
    handoff: handoffSchema
      .extend({
        virtualMachine: handoffSchema.shape.virtualMachine
          .partial()
          .meta({ description: 'The machine, for `virtual-machine`.' }),
      })
      .partial()
      .optional()
      .meta({ description: 'What happens when the disk is written.' }),
    confirmation: confirmationSchema
      .partial()
      .optional()
      .meta({ description: 'How an install is known to have succeeded.' }),
  })
  .meta({
    title: 'Iguana profile',
    description: 'What to install, as people write it. Layers: defaults ← site ← role ← machine; later wins.',
  });

/** A layer as it is written: before defaults are filled in, which happens once, after merging. */
export type Profile = z.input<typeof profileSchema>;

/** All layers merged with the defaults: every part is there, but nothing is chosen yet. */
export const completeProfileSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Profile'),
  name: z.string().optional(),
  image: imageSchema,
  storage: storageSchema,
  machine: machineSchema,
  handoff: handoffSchema,
  confirmation: confirmationSchema,
});

/** @see completeProfileSchema */
export type CompleteProfile = z.infer<typeof completeProfileSchema>;
