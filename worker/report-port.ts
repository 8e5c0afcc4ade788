/** The port of the first-boot endpoint: written on installed disks, so it must be the same after every start. */
import { join } from 'node:path';
import { freePort } from '../host/free-port.ts';
import { readJsonFile, writeJsonFile } from '../host/json-file.ts';
import type { StatePaths } from '../host/state.ts';

/** Asked for at the first start; any other is taken where something else has it. */
const DEFAULT_PORT = 7280;

/** The port, chosen at the first start of a state folder and kept from then on. */
export async function reportPort(paths: StatePaths): Promise<number> {
  const file = join(paths.root, 'report-port.json');
  const known = await readJsonFile<{ port: number }>(file);
  if (known) return known.port;
  const port = await freePort(DEFAULT_PORT);
  await writeJsonFile(file, { port });
  return port;
}
