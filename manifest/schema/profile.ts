/** The document that people write: any part may be missing, and documents are layered. */
import { z } from 'zod';
import { API_VERSION } from './common.ts';
import { imageSchema } from './image.ts';
import { confirmationSchema, handoffSchema, machineSchema } from './machine.ts';
import { diskChoiceSchema, storageSchema } from './storage.ts';

/** One layer. Every field may be missing; lists of named things are merged by key, see `layers.ts`. */
export const profileSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal('Profile'),
    name: z.string().min(1).max(128).optional().meta({ description: 'For people; shown in the history.' }),
    image: imageSchema.extend({ kernel: imageSchema.shape.kernel.partial() }).partial().optional(),
    storage: storageSchema.extend({ disk: diskChoiceSchema.partial() }).partial().optional(),
    machine: machineSchema.partial().optional(),
    handoff: handoffSchema
      .extend({ virtualMachine: handoffSchema.shape.virtualMachine.partial() })
      .partial()
      .optional(),
    confirmation: confirmationSchema.partial().optional(),
  })
  .meta({
    title: 'Iguana profile',
    description: 'What to install, as people write it. Layers: defaults ← site ← role ← machine.',
  });

/** @see profileSchema */
export type Profile = z.infer<typeof profileSchema>;

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
