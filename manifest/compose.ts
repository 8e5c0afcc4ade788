/** Makes the manifest of a profile that was found to be right: fills in what was chosen, and brings sets into one order. */

import { mountPointOf } from './check-storage.ts';
import { digestOf } from './digest.ts';
import { type Extent, filesystemOf } from './layout.ts';
import type { Mirror, PlanKeys } from './plan-types.ts';
import { API_VERSION } from './schema/common.ts';
import type { DiskFacts } from './schema/facts.ts';
import { type Manifest, type ManifestImage, manifestImageSchema, manifestSchema } from './schema/manifest.ts';
import type { CompleteProfile } from './schema/profile.ts';
import { unitName } from './unit-name.ts';

/** What planning has chosen. */
export interface Choices {
  readonly hostname: string;
  readonly disk: DiskFacts;
  /** One for each partition of the profile. */
  readonly extents: readonly Extent[];
  readonly mirror: Mirror | undefined;
  readonly inputs: Manifest['inputs'];
}

/** @returns the complete manifest */
export function composeManifest(profile: CompleteProfile, choices: Choices): Manifest {
  const { name, storage, machine, handoff, confirmation } = profile;
  const image = composeImage(profile, choices.mirror);
  const { id, sizeBytes, logicalSectorBytes } = choices.disk;
  const byPath = sortBy(machine.files, ({ path }) => path);
  // Parsed by its own schema, so that what is missing would be found here and not by whoever reads it.
  return manifestSchema.parse({
    apiVersion: API_VERSION,
    kind: 'Manifest',
    ...(name !== undefined && { name }),
    inputs: choices.inputs,
    imageDigest: digestOf(image),
    image,
    storage: {
      disk: { id, sizeBytes, sectorBytes: logicalSectorBytes },
      existingData: storage.existingData,
      partitions: composePartitions(storage.partitions, choices.extents),
    },
    machine: { ...machine, hostname: choices.hostname, files: byPath },
    handoff,
    confirmation,
  });
}

/**
 * The image part. Nothing of one machine is in it, and lists whose order means nothing are sorted, so that layers in
 * another arrangement still give the same image.
 */
function composeImage({ image, storage }: CompleteProfile, mirror: Mirror | undefined): ManifestImage {
  const root = storage.partitions.find(({ type }) => type === 'root');
  const rootFilesystem = root && filesystemOf(root);
  if (image.from) return manifestImageSchema.parse({ ...image, ...WITHOUT_BUILD, rootFilesystem });
  const services = image.services.map((service) => ({ ...service, name: unitName(service.name) }));
  return manifestImageSchema.parse({
    ...image,
    packages: [...new Set(image.packages)].sort(),
    repositories: sortBy(image.repositories, ({ name }) => name).map((repository) => ({
      ...repository,
      uri: repository.uri ?? mirrorOf(repository.suites, mirror),
      suites: [...new Set(repository.suites)].sort(),
      components: [...new Set(repository.components)].sort(),
    })),
    files: sortBy(image.files, ({ path }) => path),
    services: sortBy(services, ({ name }) => name),
    rootFilesystem,
  });
}

/** What the defaults say of a build, and an image from elsewhere makes void. */
const WITHOUT_BUILD = { packages: [], repositories: [], files: [], services: [], scripts: [] } as const;

/** @returns the mirror that has these suites; Debian keeps security updates in an archive of their own */
export function mirrorOf(suites: readonly string[], mirror: Mirror | undefined): string | undefined {
  return suites.every((suite) => suite.endsWith('-security')) ? mirror?.security : mirror?.archive;
}

function composePartitions(
  partitions: CompleteProfile['storage']['partitions'],
  extents: readonly Extent[],
): unknown[] {
  return partitions.map(({ size: _size, ...partition }, index) => {
    const mountPoint = mountPointOf(partition);
    return {
      ...partition,
      ...extents[index],
      filesystem: filesystemOf(partition),
      ...(mountPoint !== undefined && { mountPoint }),
    };
  });
}

/** By UTF-16 code units: the same everywhere, which the order of a locale is not. */
function sortBy<T>(entries: readonly T[], keyOf: (entry: T) => string): T[] {
  return [...entries].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/**
 * Digests of what each phase depends on beyond its predecessors. A phase is done again when its digest changed, so
 * nothing may be in one that the phase does not use.
 */
export function phaseKeys({
  image,
  imageDigest,
  storage,
  machine,
  handoff,
  confirmation,
}: Manifest): PlanKeys {
  const { disk, partitions } = storage;
  const boot = partitions.filter(({ type }) => ['esp', 'xbootldr', 'root', 'usr'].includes(type));
  return {
    build: imageDigest,
    partition: digestOf({
      disk,
      partitions: partitions.map(({ mountPoint: _point, mountOptions: _options, ...made }) => made),
    }),
    personalise: digestOf({
      machine,
      mounts: partitions.map(({ label, mountPoint, mountOptions }) => ({ label, mountPoint, mountOptions })),
      // Decides whether the first boot is reported.
      wait: confirmation.wait,
    }),
    bootloader: digestOf({
      kernel: image.kernel,
      mounts: boot.map(({ label, type, mountPoint, mountOptions }) => ({
        label,
        type,
        mountPoint,
        mountOptions,
      })),
    }),
    handoff: digestOf(handoff),
    confirm: digestOf(confirmation),
  };
}
