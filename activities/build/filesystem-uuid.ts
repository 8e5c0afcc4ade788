/** The UUID that a root filesystem has in its image; each machine gets its own. */
import { createHash } from 'node:crypto';

/**
 * @param name of the build: the same image has the same UUID, so that two builds are equal
 * @returns a UUID of version 8, RFC 9562
 */
export function filesystemUuid(name: string): string {
  const hex = createHash('sha256').update(`iguana root filesystem ${name}`).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
