/** What independent tools say of a disk: sfdisk, blkid, the filesystems' own checkers. */
import { execa } from 'execa';
import { expect } from 'vitest';
import type { ManifestPartition } from '../../../manifest/schema/manifest.ts';
import type { Agent } from './agent.ts';
import type { CaseContext } from './case.ts';

/** GPT types by their names in `systemd-id128 show`; see the Discoverable Partitions Specification. */
const TYPES: Readonly<Record<string, string>> = {
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  xbootldr: 'BC13C2FF-59E6-4262-A352-B275FD6F7172',
  root: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  home: '933AC7E1-2EB4-4F13-B844-0E14E2AEF915',
  srv: '3B8F8425-20E0-4F3B-907F-1A25A76F98E8',
  var: '4D21B016-B534-45C2-A9FB-5C16E091FD2D',
  swap: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
  'linux-generic': '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
};

/** The read-only check of each filesystem; all end with a status other than 0 where anything is wrong. */
const CHECKS: Readonly<Record<string, string>> = {
  ext4: 'e2fsck -f -n',
  vfat: 'fsck.fat -n',
  xfs: 'xfs_repair -n',
  btrfs: 'btrfs check --readonly',
};

/** Checks the table with sfdisk and sgdisk, and each filesystem with blkid and its own checker. */
export async function expectDisk({ agent, path, manifest }: CaseContext): Promise<void> {
  const { partitiontable: table } = JSON.parse(await agent.shell(`sfdisk --json ${path}`)) as {
    partitiontable: {
      label: string;
      partitions: { start: number; size: number; type: string; name: string; uuid: string }[];
    };
  };
  expect(table.label).toBe('gpt');
  // The agent has no use for sgdisk; the host has it for this.
  expect((await execa('sgdisk', ['--verify', path])).stdout).toContain('No problems found.');
  expect(table.partitions.map(({ start, size, type, name }) => ({ start, size, type, name }))).toEqual(
    manifest.storage.partitions.map(({ label, type, offsetBytes, sizeBytes }) => ({
      start: offsetBytes / 512,
      size: sizeBytes / 512,
      type: TYPES[type],
      name: label,
    })),
  );
  expect(new Set(table.partitions.map(({ uuid }) => uuid)).size).toBe(table.partitions.length);
  for (const { type, label, filesystemLabel, filesystem, ...place } of manifest.storage.partitions) {
    if (type === 'root') continue;
    const found = await blkid(agent, path, place);
    expect(found.TYPE, label).toBe(filesystem);
    if (filesystemLabel) expect(found.LABEL, label).toBe(filesystemLabel);
    const check = CHECKS[filesystem];
    if (check) await onPartition(agent, path, place, `${check} "$PART"`);
  }
}

interface Place {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** What blkid finds at a place of the disk. */
export async function blkid(agent: Agent, path: string, place: Place): Promise<Record<string, string>> {
  const output = await agent.shell(
    `blkid --probe --output export --offset ${place.offsetBytes} --size ${place.sizeBytes} ${path} || [ $? = 2 ]`,
  );
  return Object.fromEntries(output.split('\n').map((line) => line.split('=') as [string, string]));
}

/** Runs a script on one partition of the disk, given as `$PART`, through a read-only loop device of its own. */
export async function onPartition(agent: Agent, path: string, place: Place, script: string): Promise<string> {
  return agent.shell(`
    PART=$(losetup --find --show --read-only --offset ${place.offsetBytes} --sizelimit ${place.sizeBytes} ${path})
    trap 'losetup --detach "$PART"' EXIT
    ${script}
  `);
}

/** Checks a filesystem and prints its size in bytes. */
const SIZES: Readonly<Record<string, string>> = {
  ext4: `e2fsck -f -n "$PART" >&2
    dumpe2fs -h "$PART" 2>&- | awk -F: '/^Block count/ {b=$2} /^Block size/ {s=$2} END {print b*s}'`,
  xfs: `xfs_repair -n "$PART" >&2
    xfs_db -r -c "sb 0" -c "p dblocks blocksize" "$PART" | awk '{v[NR]=$3} END {print v[1]*v[2]}'`,
  btrfs: `btrfs check --readonly "$PART" >&2
    btrfs inspect-internal dump-super "$PART" | awk '/^total_bytes/ {print $2}'`,
};

/** The size of a sound filesystem in bytes. */
export async function filesystemBytes(
  agent: Agent,
  path: string,
  partition: ManifestPartition,
): Promise<number> {
  const script = SIZES[partition.filesystem];
  if (!script) throw new Error(`nobody tells the size of ${partition.filesystem}`);
  return Number(await onPartition(agent, path, partition, script));
}

/** A checksum of every byte of the disk: CRC-32, since it is fast and nobody forges anything here. */
export async function contentChecksum({ agent, path }: CaseContext): Promise<string> {
  return agent.shell(`sync ${path}; cksum < ${path}`);
}

/** No loop device stands on a file of the agent's folder, and nothing is mounted for an install. */
export async function expectNothingHeld(agent: Agent): Promise<void> {
  expect(
    await agent.shell(`losetup --list --noheadings --output BACK-FILE | grep -F ${agent.folder} || true`),
  ).toBe('');
  expect(await agent.shell('grep -F /run/iguana/mnt /proc/self/mountinfo || true')).toBe('');
}
