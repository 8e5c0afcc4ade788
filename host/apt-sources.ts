/** apt's two formats of sources, as sources.list(5) defines them. */

/** One archive of binary packages; an entry with several addresses or suites gives several of these. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

/** Reads a `.list` file: `deb [options] uri suite components…`. */
export function parseOneLine(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(line.replace(/#.*/, '').trim());
    if (!match) return [];
    const [, uri = '', suite = '', components = ''] = match;
    return [{ uri, suite, components: words(components) }];
  });
}

/** Reads a `.sources` file: stanzas of `Field: values`, continued by indented lines. */
export function parseDeb822(text: string): AptSource[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .split(/\n\s*\n/)
    .flatMap((stanza) => {
      const fields = new Map(
        stanza
          .replaceAll(/\n[ \t]+/g, ' ')
          .split('\n')
          .map((line): [string, string] => {
            const colon = line.indexOf(':');
            return [line.slice(0, Math.max(0, colon)).trim().toLowerCase(), line.slice(colon + 1)];
          }),
      );
      const of = (name: string): string[] => words(fields.get(name) ?? '');
      const enabled = !['no', 'false', 'without', 'off', 'disable'].includes(of('enabled')[0] ?? 'yes');
      if (!enabled || !of('types').includes('deb')) return [];
      return of('uris').flatMap((uri) =>
        of('suites').map((suite) => ({ uri, suite, components: of('components') })),
      );
    });
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');
