/** A disk with anything on it is not touched unless that was approved. */
import { negativeCase, useAgent } from '../../harness/case.ts';

const agent = useAgent();

const DISK = {
  sizeMiB: 256,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
    { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 100 },
  ],
} as const;

const BYTES = (text: string, offset: number): string =>
  `printf '${text}' | dd of="$DISK" bs=1 seek=${offset} conv=notrunc status=none`;

/** Sector 1 of what `pvcreate` makes, LVM 2.03.31: label, UUID and sizes of a physical volume of 256 MiB. */
const LVM_LABEL =
  'H4sIAAAAAAACA/NxdHL18fdzZWSAAK7yXVEKQNonzNdIwcDAMCfFp9LQ180twz0oySst2TQrPdjPKTLEwN8xy9jUyMsMqFQAohNK4QIw6Q/8WKWZ' +
  'GEbBQAAAAV9sHgACAAA=';

/** What is on the disk, and the word for it in the failure. */
const BEFORE: Readonly<Record<string, readonly [script: string, named: RegExp]>> = {
  'an empty GPT': ['printf "label: gpt\\n" | sfdisk --quiet "$DISK"', /not empty \(gpt\)/],
  'a GPT with a filesystem': [
    `printf 'size=90M, name=precious\\n' | sfdisk --quiet --label gpt "$DISK"
     mkfs.ext4 -q -L photos -E offset=1048576 "$DISK" 80M`,
    /gpt, ext4 "photos"/,
  ],
  'a dos table': ['printf "size=90M\\n" | sfdisk --quiet --label dos "$DISK"', /dos/],
  'only the copy of a GPT at the end': [
    `printf 'size=90M\\n' | sfdisk --quiet --label gpt "$DISK"
     dd if=/dev/zero of="$DISK" bs=512 count=34 conv=notrunc status=none`,
    /not empty/,
  ],
  'an ext4 on the whole disk': ['mkfs.ext4 -q -F -L backup "$DISK"', /ext4 "backup"/],
  'a btrfs on the whole disk': ['mkfs.btrfs -q -f "$DISK"', /btrfs/],
  'a LUKS header': [BYTES('LUKS\\272\\276\\000\\001', 0), /crypto_LUKS/],
  'an LVM physical volume': [
    `echo ${LVM_LABEL} | base64 -d | gzip -d | dd of="$DISK" bs=512 seek=1 conv=notrunc status=none`,
    /LVM2_member/,
  ],
  'a swap area': ['mkswap -q "$DISK"', /swap/],
  'a RAID member, with its superblock at the end': [
    // Version 1.0 of MD's superblock: magic a92b4efc, major version 1, 8 KiB before the end.
    `SB=$(( (256 * 2048 - 16) / 8 * 8 ))
     printf '\\374\\116\\053\\251\\001\\0\\0\\0' | dd of="$DISK" bs=512 seek=$SB conv=notrunc status=none`,
    /not empty/,
  ],
  'one byte at its beginning': [BYTES('x', 0), /unknown/],
  'one byte at its end': [BYTES('x', 256 * 2 ** 20 - 1), /unknown/],
  'a database that begins with a megabyte of zeros': [
    'dd if=/dev/urandom of="$DISK" bs=1M seek=2 count=100 conv=notrunc status=none',
    /unknown/,
  ],
  noise: ['dd if=/dev/urandom of="$DISK" bs=1M count=256 conv=notrunc status=none', /unknown/],
};

for (const [name, [before, message]] of Object.entries(BEFORE)) {
  negativeCase(name, agent, {
    disk: DISK,
    before,
    failure: { type: 'DiskHasData', nonRetryable: true, message },
  });
}
