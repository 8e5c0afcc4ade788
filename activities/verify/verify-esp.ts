/** Comparing the ESP with what the bootloader step puts there. */
import type { DesiredEsp } from '../bootloader/desired-esp.ts';
import { type Esp, isSamePath } from '../bootloader/esp.ts';
import type { Difference } from './compare-tree.ts';

/** @returns every file that differs, is missing, or is too many; paths as on the ESP */
export async function compareEsp(
  esp: Esp,
  { files }: DesiredEsp,
  onFile: (path: string) => void,
): Promise<Difference[]> {
  const differences: Difference[] = [];
  const present = (await esp.list()).filter((path) => !path.endsWith('/'));
  for (const { path, digest } of files) {
    onFile(path);
    if (!present.some((found) => isSamePath(found, path))) {
      differences.push({ path: `ESP:${path}`, expected: 'file', found: 'nothing' });
      continue;
    }
    const found = await esp.digest(path);
    if (found !== digest) differences.push({ path: `ESP:${path}`, expected: digest, found });
  }
  for (const path of present) {
    if (!files.some((file) => isSamePath(file.path, path))) {
      differences.push({ path: `ESP:${path}`, expected: 'nothing', found: 'file' });
    }
  }
  return differences;
}
