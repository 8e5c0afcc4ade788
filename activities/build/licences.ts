/** Licences of packages, from Debian's machine-readable copyright files. */

/** First field of a file in this format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ */
const FORMAT = /copyright-format\/1\.0/;
const LINE = /^\/usr\/share\/doc\/([^/]+)\/copyright:(Format|License):\s*(.*)$/;

/** Debian's short names that differ from those of SPDX, https://spdx.org/licenses, in lower case. */
const RENAMED: Readonly<Record<string, string>> = {
  apache: 'Apache-2.0',
  'apache-2': 'Apache-2.0',
  expat: 'MIT',
  'mit/x11': 'MIT',
};

/** Names that are those of SPDX already, but for upper and lower case. */
const SPDX_NAMES = [
  ...[
    '0BSD',
    'AFL-2.1',
    'Apache-2.0',
    'Artistic-2.0',
    'Beerware',
    'BSD-2-Clause',
    'BSD-3-Clause',
    'BSD-4-Clause',
  ],
  ...['BSD-4-Clause-UC', 'BSL-1.0', 'CC-BY-4.0', 'CC0-1.0', 'CDDL-1.0', 'curl', 'EPL-2.0', 'FSFAP', 'FSFUL'],
  ...[
    'FSFULLR',
    'ICU',
    'ISC',
    'Kazlib',
    'MIT',
    'MIT-0',
    'MPL-1.1',
    'MPL-2.0',
    'OFL-1.1',
    'OpenSSL',
    'PSF-2.0',
  ],
  ...['Unicode-DFS-2016', 'Unlicense', 'Vim', 'WTFPL', 'X11', 'Zlib'],
];
const IDENTIFIERS = new Map([
  ...Object.entries(RENAMED),
  ...SPDX_NAMES.map((name) => [name.toLowerCase(), name] as const),
]);

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
  const known = IDENTIFIERS.get(name.toLowerCase());
  if (known) return { id: known };
  const [, family, version = '', plus] = /^(L?GPL|AGPL)-([123](?:\.[01])?)(\+)?$/.exec(name) ?? [];
  if (!family) return { name };
  const number = version.includes('.') ? version : `${version}.0`;
  return { id: `${family}-${number}-${plus ? 'or-later' : 'only'}` };
}
