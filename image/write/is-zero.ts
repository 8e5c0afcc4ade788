/** Looking for zeros. */

const ZEROS = Buffer.alloc(1 << 20);

/** True where every byte is zero. */
export function isZero(data: Buffer): boolean {
  for (let at = 0; at < data.length; at += ZEROS.length) {
    const end = Math.min(at + ZEROS.length, data.length);
    if (data.compare(ZEROS, 0, end - at, at, end) !== 0) return false;
  }
  return true;
}
