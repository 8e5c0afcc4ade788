/** What does not fit is said before anything is written. */
import { negativeCase, useAgent } from '../../harness/case.ts';

const agent = useAgent();

const ESP = { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 } as const;
const ROOT = { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 100 } as const;

negativeCase('partitions that end behind the disk', agent, {
  disk: { sizeMiB: 150, partitions: [ESP, ROOT] },
  failure: { type: 'DiskTooSmall', nonRetryable: true, message: /end at 173015040/ },
});

negativeCase('partitions that leave no room for the copy of the table', agent, {
  disk: { sizeMiB: 165, partitions: [ESP, ROOT] },
  failure: { type: 'DiskTooSmall', nonRetryable: true, message: /copy of the table/ },
});

for (const [filesystem, sizeMiB] of [
  ['xfs', 299],
  ['btrfs', 255],
  ['ext4', 31],
] as const) {
  negativeCase(`a partition too small for ${filesystem}, which systemd-repart would enlarge`, agent, {
    disk: {
      sizeMiB: 512,
      partitions: [ESP, ROOT, { label: 'data', type: 'linux-generic', filesystem, sizeMiB }],
    },
    failure: { type: 'StorageImpossible', nonRetryable: true, message: /data .* needs at least/ },
  });
}

negativeCase('partitions that overlap', agent, {
  disk: { sizeMiB: 512, partitions: [ESP, { ...ROOT, gapMiB: -10 }] },
  failure: { type: 'StorageImpossible', nonRetryable: true, message: /root .* within/ },
});
