/** What is wrong with a document or a plan, for people: where, what was found, what is allowed. */
import {
  formatPath,
  type Located,
  nodeAt,
  type Path,
  type Position,
  positionAt,
  toValue,
} from './located.ts';

/** Names in the catalogue of failures (`activities/failures.ts`) that planning can end with, most basic first. */
export const DIAGNOSTIC_KINDS = [
  'ProfileInvalid',
  'FirmwareUnsupported',
  'ArchitectureMismatch',
  'DiskIsInstallMedium',
  'DiskReadOnly',
  'DiskUnidentified',
  'DiskInUse',
  'DiskHasData',
  'DiskAmbiguous',
  'NoDisk',
  'StorageImpossible',
] as const;

/** One of {@link DIAGNOSTIC_KINDS}. */
export type DiagnosticKind = (typeof DIAGNOSTIC_KINDS)[number];

/** One thing that is wrong. */
export interface Diagnostic extends Position {
  readonly kind: DiagnosticKind;
  /** e.g. `storage.partitions[1].size`. */
  readonly path: string;
  /** One sentence without full stop. */
  readonly message: string;
  /** What stands there; never the value of a secret. */
  readonly found?: string;
  /** What may stand there. */
  readonly allowed?: string;
  /** The nearest thing that is allowed, where what was found looks like a slip. */
  readonly suggestion?: string;
}

const FOUND_LIMIT = 80;
const HIDDEN = '(hidden)';
/** Fields that hold secrets, also when misspelt, by what their names look like. */
const SECRET_NAME = /pass|secret|token|credential|hash/i;

/**
 * Makes a diagnostic about a value.
 * @param root the document or the merged layers
 * @param path the value that is wrong, or is missing
 */
export function diagnose(
  root: Located,
  path: Path,
  kind: DiagnosticKind,
  message: string,
  more: Pick<Diagnostic, 'found' | 'allowed' | 'suggestion'> = {},
): Diagnostic {
  return { kind, ...positionAt(root, path), path: formatPath(path), message, ...more };
}

/**
 * @returns the value at a path for a message: one line, shortened, and hidden where its name or its form says that it
 *   is a secret; undefined where there is no value
 */
export function describeFound(root: Located, path: Path): string | undefined {
  const node = nodeAt(root, path);
  if (!node) return undefined;
  if (path.some((part) => SECRET_NAME.test(String(part)))) return HIDDEN;
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return 'a map';
  return describeText(toValue(node));
}

/** @returns a value as JSON in one line, shortened; user and password in addresses and password hashes are hidden */
export function describeText(value: unknown): string {
  const text = typeof value === 'string' ? value.slice(0, 4 * FOUND_LIMIT) : value;
  // Control characters must not reach a terminal; JSON escapes those of ASCII.
  const safe = JSON.stringify(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
  const shown = safe.replace(/\/\/[^/\s]*@/g, `//${HIDDEN}@`).replace(/\$[a-z0-9]{1,2}\$[^"\s]*/g, HIDDEN);
  return shown.length > FOUND_LIMIT ? `${shown.slice(0, FOUND_LIMIT)}…` : shown;
}

/**
 * @param diagnostics in any order
 * @returns one line each, sorted by place: `file:line:column: path: message; found …; allowed: …; did you mean "…"?`
 */
export function formatDiagnostics(diagnostics: readonly Diagnostic[]): string {
  return sortDiagnostics(diagnostics).map(formatDiagnostic).join('\n');
}

function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, path, message, found, allowed, suggestion } = diagnostic;
  return [
    `${file}:${line}:${column}: ${path}: ${message}`,
    ...(found === undefined ? [] : [`found ${found}`]),
    ...(allowed === undefined ? [] : [`allowed: ${allowed}`]),
    ...(suggestion === undefined ? [] : [`did you mean "${suggestion}"?`]),
  ].join('; ');
}

/** @returns the same diagnostics, sorted by file as it came first, line and column */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const files = [...new Set(diagnostics.map(({ file }) => file))];
  return [...diagnostics].sort(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
}
