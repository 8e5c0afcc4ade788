/**
 * UUIDs of an install, derived so that a partition step which is repeated makes the very same disk, and recognises its
 * own work.
 */
import { createHash } from 'node:crypto';

/**
 * A UUID of version 8 (RFC 9562, 5.8: of the application's own making): SHA-256 over the parts, cut to 128 bits.
 * @param parts what it is derived from; the same parts give the same UUID
 * @returns in lower case
 */
export function derivedUuid(...parts: readonly string[]): string {
  const bytes = createHash('sha256')
    .update(JSON.stringify(['iguana', ...parts]))
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** What the UUIDs of a disk are derived from. */
export interface DiskSeed {
  readonly installId: string;
  readonly diskId: string;
}

/** The seed given to systemd-repart: the disk's GUID and the filesystems' UUIDs follow from it. */
export const repartSeed = ({ installId, diskId }: DiskSeed): string => derivedUuid(installId, diskId, 'seed');

/** The GPT UUID of a partition. */
export const partitionUuid = ({ installId, diskId }: DiskSeed, label: string): string =>
  derivedUuid(installId, diskId, 'partition', label);
