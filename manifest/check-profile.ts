/** Judges one layer on its own. */
import { type Diagnostic, diagnose, sortDiagnostics } from './diagnostics.ts';
import { readDocument } from './document.ts';
import { findDuplicateKeys, KEYED_LISTS } from './layers.ts';
import { type Located, nodeAt, type Path, toValue } from './located.ts';
import { type Profile, profileSchema } from './schema/profile.ts';
import { validate } from './validate.ts';

/** One layer, or why it is refused. */
export interface CheckedProfile {
  /** As it is written, without defaults; absent where there are diagnostics. */
  readonly profile?: Profile;
  /** The same with places, for merging. */
  readonly root?: Located;
  /** All errors, in the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Judges one layer: syntax, schema, duplicates.
 * @param text YAML or JSON
 * @param file its name for messages
 * @returns every error at once; never throws
 */
export function checkProfile(text: string, file: string): CheckedProfile {
  const { root, diagnostics } = readDocument(text, file);
  if (!root) return { diagnostics };
  const judged = validate(profileSchema, root);
  const all = [...judged.diagnostics, ...findDuplicateKeys(root), ...findTwoContents(root)];
  if (all.length > 0) return { diagnostics: sortDiagnostics(all) };
  // Not the schema's result: that has the defaults of entries filled in, which would win over earlier layers.
  return { profile: toValue(root) as Profile, root, diagnostics: [] };
}

/** Files and scripts with both `content` and `source`. */
function findTwoContents(root: Located): Diagnostic[] {
  return Object.keys(KEYED_LISTS).flatMap((name) => {
    const path: Path = name.split('.');
    const list = nodeAt(root, path);
    if (list?.kind !== 'list') return [];
    return list.items.flatMap((item, index) =>
      item.kind === 'map' && item.entries.has('content') && item.entries.has('source')
        ? [
            diagnose(
              root,
              [...path, index, 'source'],
              'ProfileInvalid',
              'there is `content` too; keep one of them',
            ),
          ]
        : [],
    );
  });
}
