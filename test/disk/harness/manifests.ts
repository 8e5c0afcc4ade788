/** Manifests for disk cases: complete documents of which only the storage part matters. */
import { type Manifest, type ManifestPartition, manifestSchema } from '../../../manifest/schema/manifest.ts';

export const MIB = 2 ** 20;

/** A partition as a case states it; sizes in MiB. */
export interface CasePartition {
  readonly label: string;
  readonly type: ManifestPartition['type'];
  readonly filesystem: ManifestPartition['filesystem'];
  readonly sizeMiB: number;
  /** Free space in front, in MiB; default 0. */
  readonly gapMiB?: number;
  readonly filesystemLabel?: string;
}

/** A manifest for one disk with these partitions, one behind the other from 1 MiB. */
export function caseManifest(
  disk: Manifest['storage']['disk'],
  partitions: readonly CasePartition[],
): Manifest {
  let next = MIB;
  const placed = partitions.map(({ sizeMiB, gapMiB = 0, ...partition }) => {
    const offsetBytes = next + gapMiB * MIB;
    next = offsetBytes + sizeMiB * MIB;
    return { ...partition, offsetBytes, sizeBytes: sizeMiB * MIB, mountOptions: [] };
  });
  const digest = `sha256:${'0'.repeat(64)}`;
  return manifestSchema.parse({
    apiVersion: 'iguana/v1',
    kind: 'Manifest',
    inputs: [],
    imageDigest: digest,
    image: {
      distribution: 'debian',
      release: 'trixie',
      architecture: 'amd64',
      builder: 'mmdebstrap',
      variant: 'essential',
      packages: [],
      recommends: false,
      repositories: [],
      kernel: { package: 'linux-image-amd64', cmdline: [] },
      files: [],
      services: [],
      locale: 'C.UTF-8',
      keyboard: 'us',
      timezone: 'UTC',
      scripts: [],
      sourceDateEpoch: 1_750_000_000,
      revision: '',
      rootFilesystem: partitions.find(({ type }) => type === 'root')?.filesystem ?? 'ext4',
    },
    storage: { disk, existingData: 'refuse', partitions: placed },
    machine: {
      hostname: 'case',
      network: [],
      users: [],
      groups: [],
      files: [],
      firstBoot: [],
    },
    handoff: { action: 'none', virtualMachine: { memory: 512, cpus: 1, sshPort: 0 } },
    confirmation: { wait: 'none', timeoutSeconds: 10 },
  });
}
