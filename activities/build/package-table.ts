/** The installed packages as dpkg-query(1) wrote them. */

/** An installed package. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Source package that it was built from. */
  readonly source: { readonly name: string; readonly version: string };
}

/** dpkg-query's abbreviation of the state in which a package's files are there and configured. */
const INSTALLED = 'ii';

/**
 * @param table lines of state, name, version, architecture, source name, source version, with tabs between
 * @returns installed ones, sorted by name and architecture
 */
export function parsePackages(table: string): Package[] {
  return table
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([state]) => state?.trim() === INSTALLED)
    .map(([, name = '', version = '', architecture = '', sourceName = '', sourceVersion = '']) => ({
      name,
      version,
      architecture,
      source: { name: sourceName, version: sourceVersion },
    }))
    .sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

const key = ({ name, architecture }: Package): string => `${name} ${architecture}`;
