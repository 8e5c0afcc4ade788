/** Reads YAML or JSON text (JSON is YAML) into values that know their places. Refuses what a profile has no use for. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLError } from 'yaml';
import type { Diagnostic } from './diagnostics.ts';
import { describeText } from './diagnostics.ts';
import {
  formatPath,
  type Located,
  type LocatedEntry,
  type Path,
  type Position,
  type Scalar,
} from './located.ts';

/** Largest text: of one layer, with its `source:` files read in, since it travels through Temporal's history; of one workflow file. */
export const MAX_DOCUMENT_BYTES = 1024 * 1024;

/** Deepest nesting; the profile's schema needs 7. */
const MAX_DEPTH = 32;

/** Values of one document, with those that aliases repeat: what they come to can be exponential. */
const MAX_VALUES = 100_000;

/** Tags of YAML's core schema: they name what a value is anyway. */
const CORE_TAGS = /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/;

/** A broken text can give an error for each character: after so many, more of them help nobody. */
const MAX_SYNTAX_ERRORS = 100;

/** A document, or why it cannot be read. */
export interface ParsedDocument {
  readonly root?: Located;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads a text.
 * @param text YAML 1.2 or JSON; at most 1 MiB
 * @param file its name for messages
 * @param options `aliases`: whether a value may stand for an earlier one, as in files that other programs read, too; default no
 * @returns the values with every syntax error; never throws
 */
export function readDocument(
  text: string,
  file: string,
  options: { aliases?: boolean } = {},
): ParsedDocument {
  const reader = new Reader(file, options.aliases ?? false);
  const root = reader.read(text);
  return { ...(root && { root }), diagnostics: reader.diagnostics };
}

class Reader {
  readonly diagnostics: Diagnostic[] = [];
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #aliases: boolean;
  /** Values that aliases may stand for: those before them. */
  readonly #anchors = new Map<string, Located>();
  /** How many values each one is. */
  readonly #counts = new Map<Located, number>();

  constructor(file: string, aliases: boolean) {
    this.#file = file;
    this.#aliases = aliases;
  }

  read(text: string): Located | undefined {
    const refusal = this.#refuse(text);
    if (refusal) {
      this.#report([], refusal.offset, refusal.message);
      return undefined;
    }
    // `uniqueKeys` compares every pair of keys, which takes minutes on a large map: the conversion looks itself.
    // `prettyErrors` would quote the line, and with it perhaps a secret.
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      uniqueKeys: false,
      prettyErrors: false,
      merge: false,
    });
    const problems: readonly YAMLError[] = [...document.errors, ...document.warnings];
    for (const problem of problems) {
      this.#report([], problem.pos[0], syntaxMessage(problem));
    }
    if (document.errors.length > 0) return undefined;
    if (!document.contents) {
      this.#report([], 0, 'the document is empty');
      return undefined;
    }
    const root = this.#convert(document.contents, []);
    if (this.#countOf(root) > MAX_VALUES && this.#aliases)
      this.#report([], 0, `more than ${MAX_VALUES} values, with those that aliases repeat`);
    return this.diagnostics.length === 0 ? root : undefined;
  }

  #refuse(text: string): { offset: number; message: string } | undefined {
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_DOCUMENT_BYTES) {
      return {
        offset: 0,
        message: `the document has ${bytes} bytes, more than ${MAX_DOCUMENT_BYTES} (1 MiB)`,
      };
    }
    const offset = text.search(/(?![\t\n\r])\p{Cc}/u);
    if (offset < 0) return undefined;
    this.#lines.addNewLine(0);
    for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) {
      this.#lines.addNewLine(at + 1);
    }
    const code = text.charCodeAt(offset).toString(16).padStart(4, '0');
    return { offset, message: `the control character U+${code} is not text; give binary files as base64` };
  }

  #convert(node: Node, path: Path): Located | undefined {
    const at = this.#position(node.range?.[0] ?? 0);
    const offset = node.range?.[0] ?? 0;
    if (path.length > MAX_DEPTH) return this.#report(path, offset, `nested deeper than ${MAX_DEPTH} levels`);
    if (isAlias(node)) {
      return this.#aliases
        ? (this.#anchors.get(node.source) ??
            this.#report(path, offset, 'there is no such anchor before', describeText(node.source)))
        : this.#report(path, offset, NO_ALIASES);
    }
    const anchor = 'anchor' in node ? node.anchor : undefined;
    if (anchor && !this.#aliases) return this.#report(path, offset, NO_ALIASES);
    const located = this.#convertValue(node, path, at, offset);
    if (located && this.#aliases) {
      const parts = partsOf(located).map((part) => this.#countOf(part));
      this.#counts.set(
        located,
        parts.reduce((sum, count) => sum + count, 1),
      );
      if (anchor) this.#anchors.set(anchor, located);
    }
    return located;
  }

  #countOf(located: Located | undefined): number {
    return (located && this.#counts.get(located)) ?? 1;
  }

  #convertValue(node: Node, path: Path, at: Position, offset: number): Located | undefined {
    if (node.tag && !CORE_TAGS.test(node.tag)) {
      return this.#report(path, offset, 'tags are not supported', describeText(node.tag));
    }
    if (isScalar(node)) {
      const { value } = node;
      return isPlain(value)
        ? { kind: 'scalar', at, value }
        : this.#report(path, offset, 'not a text, number or boolean');
    }
    if (isSeq<Node>(node)) {
      const items = node.items.map((item, index) => this.#convert(item, [...path, index]));
      return { kind: 'list', at, items: items.filter((item) => item !== undefined) };
    }
    return isMap<Node, Node | null>(node) ? this.#map(node.items, at, path) : undefined;
  }

  #map(pairs: readonly { key: Node; value: Node | null }[], at: Position, path: Path): Located {
    const entries = new Map<string, LocatedEntry>();
    for (const { key, value } of pairs) {
      const offset = key.range?.[0] ?? 0;
      const name = isScalar(key) ? key.value : undefined;
      if (typeof name !== 'string') {
        this.#report(path, offset, 'a key must be a text; quote it');
      } else if (name === '__proto__') {
        this.#report(path, offset, 'this key is not allowed', describeText(name));
      } else if (entries.has(name)) {
        const first = entries.get(name)?.key.line;
        this.#report([...path, name], offset, `the key is there twice, first in line ${first}`);
      } else {
        const keyPosition = this.#position(offset);
        const node: Located | undefined = value
          ? this.#convert(value, [...path, name])
          : { kind: 'scalar', at: keyPosition, value: null };
        if (node) entries.set(name, { key: keyPosition, node });
      }
    }
    return { kind: 'map', at, entries };
  }

  #position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  #report(path: Path, offset: number, message: string, found?: string): undefined {
    if (this.diagnostics.length >= MAX_SYNTAX_ERRORS) return;
    this.diagnostics.push({
      kind: 'ProfileInvalid',
      ...this.#position(offset),
      path: formatPath(path),
      message,
      ...(found !== undefined && { found }),
    });
  }
}

const NO_ALIASES = 'anchors and aliases are not supported; use another layer instead';

function partsOf(located: Located): readonly Located[] {
  if (located.kind === 'map') return [...located.entries.values()].map(({ node }) => node);
  return located.kind === 'list' ? located.items : [];
}

const isPlain = (value: unknown): value is Scalar =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);

function syntaxMessage({ code, message }: YAMLError): string {
  if (code === 'MULTIPLE_DOCS')
    return 'more than one document in the file; keep one, others go into files of their own';
  if (code === 'RESOURCE_EXHAUSTION') return 'nested too deeply';
  if (code === 'TAG_RESOLVE_FAILED') return 'tags are not supported';
  return `not valid YAML: ${(message.split('\n')[0] ?? code).slice(0, 200)}`;
}
