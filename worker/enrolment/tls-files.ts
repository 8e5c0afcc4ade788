/** The machine's certificate as files, for whatever reads certificates from a folder. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Enrolled } from './enrol.ts';
import type { EnrolmentSettings } from './settings.ts';

/** Folder in the manner of skopeo's `--cert-dir`: `ca.crt`, `machine.cert`, `machine.key`. */
export const tlsFolder = ({ folder }: EnrolmentSettings): string => join(folder, 'tls');

/** Writes them; each appears whole. The key stays the same, so that a new certificate goes with the old key. */
export async function writeTlsFiles(
  settings: EnrolmentSettings,
  { ca, client }: Pick<Enrolled, 'ca' | 'client'>,
): Promise<void> {
  const folder = tlsFolder(settings);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [name, text] of [
    ['ca.crt', ca],
    ['machine.key', client.key],
    ['machine.cert', client.cert],
  ] as const) {
    const path = join(folder, name);
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
}

/** Reads them; those of the latest certificate. */
export async function readTlsFiles(settings: EnrolmentSettings): Promise<Pick<Enrolled, 'ca' | 'client'>> {
  const read = (name: string): Promise<string> => readFile(join(tlsFolder(settings), name), 'utf8');
  return {
    ca: await read('ca.crt'),
    client: { cert: await read('machine.cert'), key: await read('machine.key') },
  };
}
