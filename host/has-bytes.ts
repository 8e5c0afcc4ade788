/** Whether a disk holds bytes that somebody may miss, told by looking at parts of it. */
import { open } from 'node:fs/promises';

const MIB = 2 ** 20;
const SAMPLE_BYTES = 64 * 1024;
/** Evenly spread, since a database on a raw disk may begin with zeros. */
const SAMPLE_COUNT = 64;

/**
 * Whether anything but zeros is found in a range of a disk: in its first and last MiB, and in samples between them.
 * @throws the system's error where it cannot be read: that is no empty disk
 */
export async function hasBytes(path: string, offsetBytes: number, sizeBytes: number): Promise<boolean> {
  const end = offsetBytes + sizeBytes;
  const ranges: [number, number][] = [
    [offsetBytes, Math.min(MIB, sizeBytes)],
    [Math.max(offsetBytes, end - MIB), Math.min(MIB, sizeBytes)],
  ];
  const step = Math.floor(sizeBytes / (SAMPLE_COUNT + 1));
  for (let n = 1; n <= SAMPLE_COUNT; n++)
    ranges.push([offsetBytes + n * step, Math.min(SAMPLE_BYTES, sizeBytes - n * step)]);
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(MIB);
    const zeros = Buffer.alloc(MIB);
    for (const [position, length] of ranges) {
      const { bytesRead } = await file.read(buffer, 0, length, position);
      if (!buffer.subarray(0, bytesRead).equals(zeros.subarray(0, bytesRead))) return true;
    }
    return false;
  } finally {
    await file.close();
  }
}
