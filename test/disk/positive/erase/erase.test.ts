/** What is on a disk goes away once that was approved, and nothing of it shows up later. */
import { expect } from 'vitest';
import { positiveCase, useAgent } from '../../harness/case.ts';

const agent = useAgent();

const PARTITIONS = [
  { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
  { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 100 },
  { label: 'data', type: 'linux-generic', filesystem: 'ext4', sizeMiB: 64 },
] as const;

/** wipefs lists every signature that it knows, also those that another one hides. */
async function expectOnlyGpt({ path }: { path: string }): Promise<void> {
  const types = (await agent().shell(`wipefs --noheadings --output TYPE ${path}`)).split('\n');
  expect(new Set(types.map((type) => type.trim()))).toEqual(new Set(['gpt', 'PMBR']));
}

const BEFORE = {
  'a GPT with filesystems, where the new partitions lie otherwise': `
    printf 'size=90M\\nsize=90M\\nsize=90M\\n' | sfdisk --quiet --label gpt "$DISK"
    mkfs.ext4 -q -E offset=1048576 "$DISK" 80M`,
  'a dos table': 'printf "size=90M,type=83\\nsize=90M,type=7\\n" | sfdisk --quiet --label dos "$DISK"',
  'an ext4 on the whole disk': 'mkfs.ext4 -q -F "$DISK"',
  'a btrfs on the whole disk, whose superblock a table does not touch': 'mkfs.btrfs -q -f "$DISK"',
  'an LVM physical volume': 'printf "LABELONE" | dd of="$DISK" bs=1 seek=512 conv=notrunc status=none',
  'only the copy of a GPT at the end': `
    printf 'size=90M\\n' | sfdisk --quiet --label gpt "$DISK"
    dd if=/dev/zero of="$DISK" bs=512 count=34 conv=notrunc status=none`,
  'a GPT of the time when the disk was smaller': `
    truncate --size 200M "$DISK"
    printf 'size=90M\\n' | sfdisk --quiet --label gpt "$DISK"
    truncate --size 300M "$DISK"`,
  'a GPT of the time when the disk was larger': `
    truncate --size 400M "$DISK"
    printf 'size=90M\\nsize=200M\\n' | sfdisk --quiet --label gpt "$DISK"
    truncate --size 300M "$DISK"`,
  noise: 'dd if=/dev/urandom of="$DISK" bs=1M count=300 conv=notrunc status=none',
};

for (const [name, before] of Object.entries(BEFORE)) {
  positiveCase(name, agent, {
    disk: { sizeMiB: 300, partitions: PARTITIONS },
    before,
    approvedErase: true,
    after: expectOnlyGpt,
  });
}
