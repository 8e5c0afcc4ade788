/** A digest in the schemas of others. */
import { z } from 'zod';
import { type Digest, isDigest } from './digest.ts';

/** A digest as text. */
export const digestSchema = z.custom<Digest>(
  isDigest,
  'it has to be sha256: and 64 lower-case hexadecimal digits',
);
