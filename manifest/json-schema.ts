/** JSON Schemas of the documents, for editors and for other tools. */
import { z } from 'zod';
import { factsSchema } from './schema/facts.ts';
import { manifestSchema } from './schema/manifest.ts';
import { profileSchema } from './schema/profile.ts';

/** The documents that have a schema. */
export const DOCUMENTS = ['profile', 'manifest', 'facts'] as const;

/** One of {@link DOCUMENTS}. */
export type DocumentName = (typeof DOCUMENTS)[number];

/** A JSON Schema as far as Iguana's schemas use it. */
export interface JsonSchema {
  readonly description?: string;
  readonly type?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly maxLength?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

const SCHEMAS: Readonly<Record<DocumentName, z.ZodType>> = {
  profile: profileSchema,
  manifest: manifestSchema,
  facts: factsSchema,
};

/**
 * @returns the schema of a document in JSON Schema draft 2020-12: of a profile as people write it, of the others as
 *   Iguana writes them
 */
export function jsonSchema(document: DocumentName): JsonSchema {
  // `input`: what has a default may be missing. What Iguana writes has every default filled in.
  return z.toJSONSchema(SCHEMAS[document], { io: document === 'profile' ? 'input' : 'output' }) as JsonSchema;
}
