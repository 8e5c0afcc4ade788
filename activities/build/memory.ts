/** Whether the tree of a build can be kept in memory, where it is made faster than on any disk. */
import { readFile } from 'node:fs/promises';

/** Below this, memory is left to the caches: a tree that has to be made again on the disk costs more than it saves. */
const LEAST_BYTES = 3 * 2 ** 30;

/** @returns how many bytes the tree may take at most; 0 where it belongs on the disk */
export async function memoryToSpare(): Promise<number> {
  // proc_meminfo(5): what can be had without swapping.
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1];
  const half = Math.floor((Number(kibibytes ?? 0) * 1024) / 2);
  return half >= LEAST_BYTES ? half : 0;
}
