/** Looks into the zod schemas: which part of a schema judges a path, and which keys and values it knows. */
import { z } from 'zod';
import type { Path } from './located.ts';

/** @returns a schema without what wraps it: optional, nullable, required, default */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodNullable ||
    inner instanceof z.ZodNonOptional ||
    inner instanceof z.ZodDefault
  ) {
    inner = inner.unwrap();
  }
  return inner;
}

/** @returns the schemas that may judge the value at a path; more than one where there are unions on the way */
export function schemasAt(schema: z.core.$ZodType, path: Path): z.core.$ZodType[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => schemasAt(option, path));
  const [part, ...rest] = path;
  if (part === undefined) return [inner];
  const next = childOf(inner, part);
  return next ? schemasAt(next, rest) : [];
}

/** @returns the schema of one key of a map or of the entries of a list */
export function childOf(schema: z.core.$ZodType, part: string | number): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  if (schema instanceof z.ZodObject) {
    return Object.hasOwn(schema.shape, part) ? schema.shape[part] : undefined;
  }
  return undefined;
}

/** @returns the keys that are allowed in the map at a path */
export function knownKeysAt(schema: z.core.$ZodType, path: Path): string[] {
  const keys = schemasAt(schema, path).flatMap((found) =>
    found instanceof z.ZodObject ? Object.keys(found.shape) : [],
  );
  return [...new Set(keys)];
}
