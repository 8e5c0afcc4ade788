/** What a workflow file of the original Iguana may say. */
import { z } from 'zod';
import { VOLUME_PATTERN } from './volume.ts';

/** podman reads a line of an environment file into 64 KiB. */
const MAX_VALUE_LENGTH = 32 * 1024;
const MAX_TEXT_LENGTH = 4096;

/** Repository with its registry: in a boot image nothing says where a short name would come from. What could be an option is none. */
const IMAGE_PATTERN =
  /^(?:docker:\/\/)?(?=localhost[:/]|[^/]*[.:])[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?(?:\/[a-z0-9][a-z0-9._-]*)+(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

const text = z.string().max(MAX_TEXT_LENGTH);

const env = z.record(
  z.string(),
  z
    .string()
    .max(MAX_VALUE_LENGTH)
    .regex(/^(?:[^\p{Cc}\p{Cs}]|\t)*$/u, 'a text of one line; quote what looks like a number, true or false'),
);

const container = z.strictObject({
  image: z
    .string()
    .max(MAX_TEXT_LENGTH)
    .regex(IMAGE_PATTERN, 'HOST/REPOSITORY, also with :TAG or @sha256:… after it'),
  env: env.nullish(),
  volumes: z
    .array(
      z
        .string()
        .max(MAX_TEXT_LENGTH)
        .regex(VOLUME_PATTERN, 'name:/path, /path or /host/path:/path, also with :ro after the latter two'),
    )
    .nullish(),
});

const job = z.strictObject({
  container,
  services: z.record(z.string(), container).nullish(),
  needs: z.union([text, z.array(text)]).nullish(),
  continue_on_error: z.boolean().optional(),
  // Never executed, so nothing in them changes what is run.
  steps: z.array(z.unknown()).nullish(),
});

/** The whole file. The order of its maps is not in what zod makes of it: see `plan.ts`. */
export const workflowFileSchema = z.strictObject({
  name: text.nullish(),
  description: text.nullish(),
  env: env.nullish(),
  jobs: z.record(z.string(), job),
});

/** What {@link workflowFileSchema} makes of a file. */
export type WorkflowFile = z.infer<typeof workflowFileSchema>;
/** A container of a job, or one that serves it. */
export type WorkflowContainer = z.infer<typeof container>;
