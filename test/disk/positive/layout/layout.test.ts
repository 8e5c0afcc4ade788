/** Partitions stand exactly where the manifest puts them. */
import { positiveCase, useAgent } from '../../harness/case.ts';

const agent = useAgent();

positiveCase('an ESP and a root partition', agent, {
  disk: {
    sizeMiB: 512,
    partitions: [
      { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
      { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 446 },
    ],
  },
});

positiveCase('gaps between partitions and behind the last one stay free', agent, {
  disk: {
    sizeMiB: 512,
    partitions: [
      { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
      { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 100, gapMiB: 7 },
      { label: 'data', type: 'linux-generic', filesystem: 'ext4', sizeMiB: 100, gapMiB: 50 },
    ],
  },
});

positiveCase('a disk that is used to its last MiB', agent, {
  disk: {
    sizeMiB: 128,
    partitions: [
      { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 33 },
      { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 93 },
    ],
  },
});

positiveCase('many partitions, of types that occur twice', agent, {
  disk: {
    sizeMiB: 1024,
    partitions: [
      { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
      { label: 'boot', type: 'xbootldr', filesystem: 'vfat', sizeMiB: 64 },
      { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 100 },
      { label: 'home', type: 'home', filesystem: 'ext4', sizeMiB: 40 },
      { label: 'srv', type: 'srv', filesystem: 'ext4', sizeMiB: 40 },
      { label: 'var', type: 'var', filesystem: 'ext4', sizeMiB: 40 },
      ...Array.from({ length: 8 }, (_, n) => ({
        label: `data-${n}`,
        type: 'linux-generic' as const,
        filesystem: 'ext4' as const,
        sizeMiB: 32,
      })),
    ],
  },
});
