/** Each kind of filesystem is made, labelled, sound, and can be used. */
import { expect } from 'vitest';
import { positiveCase, useAgent } from '../../harness/case.ts';
import { onPartition } from '../../harness/judge.ts';
import type { CasePartition } from '../../harness/manifests.ts';

const agent = useAgent();

const ESP: CasePartition = { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 };
const ROOT: CasePartition = { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 64 };

for (const filesystem of ['ext4', 'xfs', 'btrfs'] as const) {
  positiveCase(`${filesystem}, mounted and empty`, agent, {
    disk: {
      sizeMiB: 512,
      partitions: [
        ESP,
        ROOT,
        { label: 'data', type: 'linux-generic', filesystem, sizeMiB: 320, filesystemLabel: 'DATA' },
      ],
    },
    after: async ({ path, manifest }) => {
      const data = manifest.storage.partitions[2];
      if (!data) throw new Error('no third partition');
      const options = filesystem === 'ext4' ? 'ro,noload' : 'ro';
      const script = `mount -t ${filesystem} -o ${options} "$PART" /mnt; ls -A /mnt; umount /mnt`;
      const files = await onPartition(agent(), path, data, script);
      expect(files.replace('lost+found', '')).toBe('');
    },
  });
}

positiveCase('vfat, read by mtools', agent, {
  disk: { sizeMiB: 256, partitions: [{ ...ESP, filesystemLabel: 'EFI' }, ROOT] },
  after: async ({ path }) => {
    expect(await agent().shell(`mdir -i ${path}@@1M ::`)).toContain('No files');
    expect(await agent().shell(`mlabel -i ${path}@@1M -s ::`)).toContain('Volume label is EFI');
  },
});

positiveCase('swap', agent, {
  disk: {
    sizeMiB: 256,
    partitions: [
      ESP,
      ROOT,
      { label: 'swap', type: 'swap', filesystem: 'swap', sizeMiB: 64, filesystemLabel: 'SWAP' },
    ],
  },
});

positiveCase(
  'without a label of its own a filesystem has that of the partition, cut to what it can hold',
  agent,
  {
    disk: {
      sizeMiB: 512,
      partitions: [
        ESP,
        ROOT,
        {
          label: 'a-name-as-long-as-thirty-six-letters',
          type: 'linux-generic',
          filesystem: 'xfs',
          sizeMiB: 320,
        },
      ],
    },
    after: async ({ path, manifest }) => {
      const data = manifest.storage.partitions[2];
      if (!data) throw new Error('no third partition');
      expect(await onPartition(agent(), path, data, 'xfs_admin -l "$PART"')).toContain('"a-name-as-lo"');
    },
  },
);
