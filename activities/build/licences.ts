/** Licences of packages, from Debian's machine-readable copyright files. */

/** First field of a file in this format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ */
const FORMAT = /copyright-format\/1\.0/;
const LINE = /^\/usr\/share\/doc\/([^/]+)\/copyright:(Format|License):\s*(.*)$/;

/**
 * Debian's short names that differ from those of SPDX, https://spdx.org/licenses; `GPL-2` and its kin, with or without
 * `+`, are turned by rule.
 */
const SPDX: Readonly<Record<string, string>> = {
  Apache: 'Apache-2.0',
  'Apache-2': 'Apache-2.0',
  'BSD-2-clause': 'BSD-2-Clause',
  'BSD-3-clause': 'BSD-3-Clause',
  'BSD-4-clause': 'BSD-4-Clause',
  Expat: 'MIT',
  ISC: 'ISC',
  MIT: 'MIT',
  'MIT/X11': 'MIT',
  'Apache-2.0': 'Apache-2.0',
  'CC0-1.0': 'CC0-1.0',
  'BSL-1.0': 'BSL-1.0',
  'OFL-1.1': 'OFL-1.1',
  'MPL-1.1': 'MPL-1.1',
  'MPL-2.0': 'MPL-2.0',
  Zlib: 'Zlib',
  zlib: 'Zlib',
};

/** A licence as CycloneDX has it: an identifier of SPDX, or a name. */
export type Licence = { readonly id: string } | { readonly name: string };

/**
 * @param lines of `grep -H` for the fields `Format` and `License` in the copyright files below /usr/share/doc
 * @returns licences by package; none for packages whose copyright file is prose
 */
export function parseLicences(lines: string): ReadonlyMap<string, readonly Licence[]> {
  const readable = new Set<string>();
  const names = new Map<string, Set<string>>();
  for (const line of lines.split('\n')) {
    const [, name, field, value = ''] = LINE.exec(line) ?? [];
    if (name === undefined) continue;
    if (field === 'Format') {
      if (FORMAT.test(value)) readable.add(name);
    } else if (readable.has(name)) {
      const known = names.get(name) ?? new Set();
      names.set(name, known);
      // Alternatives and sums (`GPL-2+ or Artistic`) are named one by one: which holds for what is in the file.
      for (const part of value.split(/\s*(?:,|\bor\b|\band\b|\|)\s*/)) if (part) known.add(part);
    }
  }
  return new Map([...names].map(([name, found]) => [name, [...found].sort().map(licence)]));
}

function licence(name: string): Licence {
  const known = SPDX[name];
  if (known) return { id: known };
  const [, family, version = '', plus] = /^(L?GPL|AGPL)-([123](?:\.[01])?)(\+)?$/.exec(name) ?? [];
  if (!family) return { name };
  const number = version.includes('.') ? version : `${version}.0`;
  return { id: `${family}-${number}-${plus ? 'or-later' : 'only'}` };
}
