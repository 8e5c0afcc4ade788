/** The JSON Schemas of the documents, as editors read them. */
import { z } from 'zod';
import { factsSchema } from '../../manifest/schema/facts.ts';
import { manifestSchema } from '../../manifest/schema/manifest.ts';
import { profileSchema } from '../../manifest/schema/profile.ts';
import { usageError } from '../errors.ts';

const SCHEMAS = { profile: profileSchema, manifest: manifestSchema, facts: factsSchema } as const;

/**
 * The JSON Schema of a document.
 * @param document `profile`, `manifest` or `facts`
 * @throws CommandError (usage) for any other
 */
export function publishedSchema(document: string): object {
  const schema = SCHEMAS[document as keyof typeof SCHEMAS];
  if (schema === undefined) {
    throw usageError(`there is no document called ${JSON.stringify(document)}`, {
      remedy: `It is one of ${Object.keys(SCHEMAS).join(', ')}.`,
    });
  }
  // What people write: fields with a default may be missing.
  return z.toJSONSchema(schema, { io: 'input' });
}
