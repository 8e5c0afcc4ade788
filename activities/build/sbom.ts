/** The package list of an image as CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/. */
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import type { Licence } from './licences.ts';
import type { Package } from './package-table.ts';

/**
 * The document. It has neither serial number nor time, both optional: the same packages give the same bytes.
 * @param licences by package
 */
export function cycloneDx(
  image: ManifestImage,
  packages: readonly Package[],
  licences: ReadonlyMap<string, readonly Licence[]>,
): object {
  const { distribution, release, architecture } = image;
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'operating-system',
        'bom-ref': 'image',
        name: distribution,
        version: release,
        properties: [{ name: 'iguana:architecture', value: architecture }],
      },
    },
    components: packages.map((entry) => component(image, entry, licences.get(entry.name) ?? [])),
  };
}

function component(image: ManifestImage, entry: Package, licences: readonly Licence[]): object {
  const url = packageUrl(image, entry);
  return {
    type: 'library',
    'bom-ref': url,
    name: entry.name,
    version: entry.version,
    ...(licences.length > 0 && { licenses: licences.map((licence) => ({ license: licence })) }),
    purl: url,
    properties: [
      { name: 'iguana:architecture', value: entry.architecture },
      { name: 'iguana:source', value: `${entry.source.name} ${entry.source.version}` },
    ],
  };
}

/** A package URL of type `deb`, https://github.com/package-url/purl-spec. */
function packageUrl(
  { distribution, release }: ManifestImage,
  { name, version, architecture }: Package,
): string {
  const encode = (text: string): string => encodeURIComponent(text).replaceAll('%3A', ':');
  const distro = encode(`${distribution}-${release}`);
  return `pkg:deb/${distribution}/${encode(name)}@${encode(version)}?arch=${architecture}&distro=${distro}`;
}
