/** Package repositories in apt's deb822 format, sources.list(5). */
import type { ManifestImage } from '../../manifest/schema/manifest.ts';

type Repository = ManifestImage['repositories'][number];

/** Where Debian keeps the keys of its own archives: package debian-archive-keyring. */
const DISTRIBUTION_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** @returns name of the file with the repository's own key, in /etc/apt/keyrings of builder and image */
export const keyFileName = ({ name }: Repository): string => `iguana-${name}.asc`;

/** @returns a paragraph for a repository; each is trusted by its own key only */
export function sourcesOf(repository: Repository): string {
  const { uri, suites, components, key } = repository;
  const signedBy =
    key === 'distribution' ? DISTRIBUTION_KEYRING : `/etc/apt/keyrings/${keyFileName(repository)}`;
  // A suite that ends with a slash is a path in a flat repository, which has no components.
  const isFlat = suites.every((suite) => suite.endsWith('/'));
  const fields = [
    'Types: deb',
    `URIs: ${uri}`,
    `Suites: ${suites.join(' ')}`,
    ...(isFlat ? [] : [`Components: ${components.join(' ')}`]),
    `Signed-By: ${signedBy}`,
  ];
  return `${fields.join('\n')}\n`;
}
