/** How the record of a disk lies in its file. */
import { z } from 'zod';

const imageSchema = z.strictObject({ image: z.string(), part: z.string() });
const bytes = z.number().int().nonnegative();

/** All of it; everything that it says of the disk is verified by hash before it is used. */
export const recordSchema = z.strictObject({
  version: z.literal(1),
  /** For people who look into the file. */
  disk: z.string(),
  /** The image that was written last, whole; its chunk table lies beside. */
  holds: imageSchema
    .extend({ sizeBytes: bytes, dataBytes: bytes, table: z.string().regex(/^[0-9a-f-]+\.table$/) })
    .optional(),
  /** A write that has not ended, and what of it is flushed. */
  writing: imageSchema.extend({ flushed: z.array(z.tuple([bytes, bytes]).readonly()).readonly() }).optional(),
});

/** @see recordSchema */
export type RecordContent = z.infer<typeof recordSchema>;
