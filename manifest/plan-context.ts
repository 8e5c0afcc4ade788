/** What the checks of planning share: the merged layers, their value, and a way to say what is wrong. */
import { type Diagnostic, type DiagnosticKind, describeFound, diagnose } from './diagnostics.ts';
import type { Located, Path } from './located.ts';
import type { CompleteProfile } from './schema/profile.ts';

/** All layers merged and judged by the schema. */
export interface Merged {
  readonly root: Located;
  readonly profile: CompleteProfile;
}

/** Says that the value at a path is wrong, as it was found there. */
export type Complain = (
  path: Path,
  message: string,
  more?: Pick<Diagnostic, 'found' | 'allowed' | 'suggestion'>,
) => void;

/**
 * Runs one check.
 * @param check calls `complain` for everything that is wrong
 * @returns what it complained about
 */
export function collect(
  merged: Merged,
  kind: DiagnosticKind,
  check: (profile: CompleteProfile, complain: Complain) => void,
): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  check(merged.profile, (path, message, more) => {
    const found = describeFound(merged.root, path);
    diagnostics.push(
      diagnose(merged.root, path, kind, message, { ...(found !== undefined && { found }), ...more }),
    );
  });
  return diagnostics;
}

/** @returns the indices of entries whose key an earlier entry has already */
export function repeated<T>(
  entries: readonly T[],
  keyOf: (entry: T) => string | number | undefined,
): number[] {
  const seen = new Set<string | number>();
  return entries.flatMap((entry, index) => {
    const key = keyOf(entry);
    if (key === undefined) return [];
    if (seen.has(key)) return [index];
    seen.add(key);
    return [];
  });
}
