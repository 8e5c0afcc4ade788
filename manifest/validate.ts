/** Judges a document by a zod schema and says everything that is wrong in the words of people. */
import { z } from 'zod';
import { type Diagnostic, describeFound, describeText, diagnose } from './diagnostics.ts';
import { childOf, knownKeysAt, schemasAt, unwrap } from './known-keys.ts';
import { formatPath, keyPositionAt, type Located, nodeAt, type Path, toValue } from './located.ts';
import { nearest } from './nearest.ts';

type Issue = z.core.$ZodIssue;

/** What a schema made of a document. */
export type Validated<T> =
  | { readonly value: T; readonly diagnostics: readonly [] }
  | { readonly value?: never; readonly diagnostics: readonly Diagnostic[] };

/**
 * Judges a document.
 * @param root the document or the merged layers
 * @returns the value with the schema's defaults filled in, or every error
 */
export function validate<T>(schema: z.ZodType<T>, root: Located): Validated<T> {
  const result = schema.safeParse(toValue(root));
  if (result.success) return { value: result.data, diagnostics: [] };
  const leaves = result.error.issues.flatMap((issue) => flatten(issue, schema, [], root));
  const diagnostics = leaves.flatMap((leaf) => describe(leaf, root));
  // A text that breaks two patterns of one field is one mistake.
  const places = new Map(diagnostics.map((diagnostic) => [placeOf(diagnostic), diagnostic]));
  return { diagnostics: [...places.values()] };
}

const placeOf = ({ line, column, file, path, found }: Diagnostic): string =>
  JSON.stringify([file, line, column, path, found]);

/** An issue that is no union's, its whole path, and the schemas that could judge it. */
interface Leaf {
  readonly issue: Issue;
  readonly path: Path;
  readonly judges: readonly z.core.$ZodType[];
}

/**
 * Replaces the issues of a union by those of the branch that fits best, where the value is a map or a list; a text or
 * number fits none, and all that is allowed instead is said together.
 */
function flatten(issue: Issue, schema: z.core.$ZodType, base: Path, root: Located): Leaf[] {
  const below = toPath(issue.path);
  const path = [...base, ...below];
  const whole: Leaf = { issue, path, judges: schemasAt(schema, below) };
  if (issue.code !== 'invalid_union' || nodeAt(root, path)?.kind === 'scalar') return [whole];
  const branches = branchesAt(schema, below);
  const [best] = issue.errors
    .map((issues, index) => ({ issues, branch: branches[index] }))
    .filter(({ issues }) => !isMisfit(issues))
    .sort((a, b) => a.issues.length - b.issues.length);
  const branch = best?.branch;
  return branch ? best.issues.flatMap((inner) => flatten(inner, branch, path, root)) : [whole];
}

/** False where the value is of the branch's kind and only something in it is wrong. */
function isMisfit(issues: readonly Issue[]): boolean {
  return issues.some(
    (issue) =>
      issue.path.length === 0 &&
      (issue.code === 'invalid_type' ||
        issue.code === 'invalid_value' ||
        (issue.code === 'invalid_union' && issue.errors.every(isMisfit))),
  );
}

/** The options of the union at a path, in their order; unions on the way to it are entered where the path goes on. */
function branchesAt(schema: z.core.$ZodType, path: Path): readonly z.core.$ZodType[] {
  const inner = unwrap(schema);
  const [part, ...rest] = path;
  if (part === undefined) return inner instanceof z.ZodUnion ? inner.options : [];
  const parents = inner instanceof z.ZodUnion ? inner.options : [inner];
  for (const parent of parents) {
    const next = childOf(unwrap(parent), part);
    const found = next ? branchesAt(next, rest) : [];
    if (found.length > 0) return found;
  }
  return [];
}

const toPath = (path: readonly PropertyKey[]): Path =>
  path.map((part) => (typeof part === 'symbol' ? String(part) : part));

function describe({ issue, path, judges }: Leaf, root: Located): Diagnostic[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      unknownKey(root, path, key, [...new Set(judges.flatMap((it) => knownKeysAt(it, [])))]),
    );
  }
  const missing = nodeAt(root, path) === undefined;
  const allowed = allowedBy(issue, judges);
  if (missing) return [diagnose(root, path, 'ProfileInvalid', 'is missing', { ...(allowed && { allowed }) })];
  const found = describeFound(root, path);
  const suggestion = suggest(root, path, judges);
  return [
    diagnose(root, path, 'ProfileInvalid', MESSAGES[issue.code] ?? 'not allowed here', {
      ...(found !== undefined && { found }),
      ...(allowed && { allowed }),
      ...(suggestion !== undefined && { suggestion }),
    }),
  ];
}

const MESSAGES: Partial<Record<Issue['code'], string>> = {
  invalid_type: 'of the wrong type',
  invalid_value: 'not one of the allowed values',
  invalid_union: 'not one of the allowed forms',
  invalid_format: 'not of the allowed form',
  too_big: 'too large',
  too_small: 'too small',
};

function unknownKey(root: Located, path: Path, key: string, known: readonly string[]): Diagnostic {
  const suggestion = nearest(key, known);
  return {
    kind: 'ProfileInvalid',
    ...keyPositionAt(root, path, key),
    path: formatPath([...path, key.slice(0, 80)]),
    message: 'unknown key',
    found: describeText(key),
    ...(known.length > 0 && { allowed: known.join(', ') }),
    ...(suggestion !== undefined && { suggestion }),
  };
}

/** What the schemas say of themselves: values, pattern in words, type and limits. */
function allowedBy(issue: Issue, judges: readonly z.core.$ZodType[]): string | undefined {
  if (issue.code === 'invalid_format' || issue.code === 'custom') return issue.message;
  const words = judges.map(nameOf).filter((word) => word !== undefined);
  const limits = limitOf(issue);
  return [[...new Set(words)].join(', or '), limits].filter(Boolean).join(', ') || undefined;
}

function limitOf(issue: Issue): string | undefined {
  if (issue.code === 'too_big') return `at most ${issue.maximum}${unitOf(issue.origin)}`;
  if (issue.code === 'too_small') return `at least ${issue.minimum}${unitOf(issue.origin)}`;
  return undefined;
}

const unitOf = (origin: string): string =>
  (({ string: ' characters', array: ' entries' }) as Record<string, string>)[origin] ?? '';

function nameOf(schema: z.core.$ZodType): string | undefined {
  if (schema instanceof z.ZodEnum) return schema.options.join(', ');
  if (schema instanceof z.ZodLiteral)
    return [...schema.values].map((value) => JSON.stringify(value)).join(', ');
  if (schema instanceof z.ZodNumber) return schema.isInt ? 'a whole number' : 'a number';
  if (schema instanceof z.ZodBoolean) return 'true, false';
  if (schema instanceof z.ZodArray) return 'a list';
  if (schema instanceof z.ZodObject) return `a map of ${Object.keys(schema.shape).join(', ')}`;
  return schema instanceof z.ZodString || schema instanceof z.ZodStringFormat ? wordsOf(schema) : undefined;
}

/** A large list can break one rule a hundred thousand times. */
const knownWords = new WeakMap<z.core.$ZodType, string>();

/** The words that the schema has for its format: what it says of a text that fits no format. */
function wordsOf(schema: z.ZodString | z.ZodStringFormat): string {
  const known = knownWords.get(schema);
  if (known !== undefined) return known;
  const issues = schema.safeParse('\0').error?.issues ?? [];
  const words = issues.find(({ code }) => code === 'invalid_format')?.message ?? 'a text';
  knownWords.set(schema, words);
  return words;
}

function suggest(root: Located, path: Path, judges: readonly z.core.$ZodType[]): string | undefined {
  const node = nodeAt(root, path);
  if (node?.kind !== 'scalar' || typeof node.value !== 'string') return undefined;
  const values = judges.flatMap((schema) => {
    if (schema instanceof z.ZodEnum) return schema.options;
    return schema instanceof z.ZodLiteral ? [...schema.values] : [];
  });
  return nearest(
    node.value,
    values.filter((value) => typeof value === 'string'),
  );
}
