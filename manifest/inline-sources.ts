/** Reads the files that a profile names by `source:` into it, so that the layer is complete without its folder. */
import { isMap, isScalar, LineCounter, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { checkProfile } from './check-profile.ts';
import { type Diagnostic, diagnose } from './diagnostics.ts';
import { MAX_DOCUMENT_BYTES } from './document.ts';
import { type Located, nodeAt, type Path } from './located.ts';

/**
 * Reads one file.
 * @param source as the profile names it, relative to the profile
 * @throws Error when it cannot be read; its message becomes a diagnostic
 */
export type ReadSource = (source: string) => Promise<Uint8Array>;

/** A layer without `source:`, or why there is none. */
export interface InlinedProfile {
  readonly text?: string;
  readonly diagnostics: readonly Diagnostic[];
}

const LISTS: readonly { readonly path: Path; readonly binary: boolean }[] = [
  { path: ['image', 'files'], binary: true },
  { path: ['image', 'scripts'], binary: false },
  { path: ['machine', 'files'], binary: true },
  { path: ['machine', 'firstBoot'], binary: false },
];

interface Source {
  readonly path: Path;
  readonly name: string;
  /** True where the entry can say `encoding: base64`. */
  readonly binary: boolean;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Replaces each `source:` by `content:` in the text itself. Everything else stays as it is written, so that lines and
 * comments are where they were and later messages point to the right place.
 * @returns the text, unchanged where nothing is to be read; or every error: those of the profile, files that cannot be
 *   read, a text above 1 MiB
 */
export async function inlineSources(text: string, file: string, read: ReadSource): Promise<InlinedProfile> {
  const { root, diagnostics } = checkProfile(text, file);
  if (!root) return { diagnostics };
  const problems: Diagnostic[] = [];
  const edits: Edit[] = [];
  const document = parseDocument(text, { lineCounter: new LineCounter(), uniqueKeys: false });
  for (const source of findSources(root)) {
    const content = await readContent(source, root, read, problems);
    const entry = document.getIn(source.path.slice(0, -1));
    if (content && isMap(entry)) edits.push(...editsOf(entry, content, text));
  }
  const inlined = apply(text, edits);
  const bytes = Buffer.byteLength(inlined);
  if (problems.length === 0 && bytes > MAX_DOCUMENT_BYTES) {
    const message = `with its source files the profile has ${bytes} bytes, more than ${MAX_DOCUMENT_BYTES} (1 MiB)`;
    problems.push(
      diagnose(root, [], 'ProfileInvalid', message, {
        allowed: 'put large files into a package or fetch them in a script',
      }),
    );
  }
  return problems.length > 0 ? { diagnostics: problems } : { text: inlined, diagnostics: [] };
}

function findSources(root: Located): Source[] {
  return LISTS.flatMap(({ path, binary }) => {
    const list = nodeAt(root, path);
    if (list?.kind !== 'list') return [];
    return list.items.flatMap((_, index): Source[] => {
      const at = [...path, index, 'source'];
      const node = nodeAt(root, at);
      return node?.kind === 'scalar' ? [{ path: at, name: String(node.value), binary }] : [];
    });
  });
}

interface Content {
  readonly text: string;
  readonly encoding: 'text' | 'base64';
}

async function readContent(
  { path, name, binary }: Source,
  root: Located,
  read: ReadSource,
  problems: Diagnostic[],
): Promise<Content | undefined> {
  const complain = (message: string): undefined => {
    problems.push(diagnose(root, path, 'ProfileInvalid', message, { found: JSON.stringify(name) }));
  };
  let bytes: Uint8Array;
  try {
    bytes = await read(name);
  } catch (error) {
    return complain(`reading the file failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (bytes.length > MAX_DOCUMENT_BYTES)
    return complain(`the file has ${bytes.length} bytes, more than 1 MiB`);
  const text = decode(bytes);
  if (text !== undefined) return { text, encoding: 'text' };
  if (!binary) return complain('a script must be text in UTF-8');
  return { text: Buffer.from(bytes).toString('base64'), encoding: 'base64' };
}

/** @returns the text; undefined where the bytes are none, or text that YAML does not hold */
function decode(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes).toString('utf8');
  const isWhole = Buffer.from(text, 'utf8').equals(bytes);
  return isWhole && !text.includes('\0') ? text : undefined;
}

/** Replaces the pair of `source` by `content`, and that of `encoding`, which speaks of a content given in the profile. */
function editsOf(entry: YAMLMap, { text: content, encoding }: Content, text: string): Edit[] {
  const pairs = entry.items.filter((pair) => isScalar(pair.key));
  const pairOf = (name: string): Pair | undefined =>
    pairs.find(({ key }) => isScalar(key) && key.value === name);
  const source = rangeOf(pairOf('source'), text);
  if (!source) return [];
  const declared = rangeOf(pairOf('encoding'), text);
  // JSON is YAML: a text in JSON's quotes is one line wherever it stands.
  const lines = [`"content": ${quote(content)}`];
  if (!declared && encoding === 'base64') lines.push('"encoding": "base64"');
  const separator = entry.flow ? ', ' : `\n${' '.repeat(source.column)}`;
  const edits = [{ start: source.start, end: source.end, text: lines.join(separator) }];
  return declared
    ? [...edits, { start: declared.start, end: declared.end, text: `"encoding": "${encoding}"` }]
    : edits;
}

/** JSON leaves DEL and the C1 controls as they are, which YAML text may not hold. */
const quote = (content: string): string =>
  JSON.stringify(content).replaceAll(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

function rangeOf(
  pair: Pair | undefined,
  text: string,
): { start: number; end: number; column: number } | undefined {
  if (!pair || !isScalar(pair.key) || !isScalar(pair.value)) return undefined;
  const start = pair.key.range?.[0];
  const end = pair.value.range?.[1];
  if (start === undefined || end === undefined) return undefined;
  return { start, end, column: start - (text.lastIndexOf('\n', start - 1) + 1) };
}

function apply(text: string, edits: readonly Edit[]): string {
  // From the end, so that the places of those before stay valid.
  return [...edits]
    .sort((a, b) => b.start - a.start)
    .reduce((result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), text);
}
