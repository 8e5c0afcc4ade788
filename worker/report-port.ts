/** The port of the first-boot endpoint: written on installed disks, so it must be the same after every start. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { readJsonFile, writeJsonFile } from '../host/json-file.ts';
import type { StatePaths } from '../host/state.ts';

/** Asked for at the first start; any other is taken where something else has it. */
const DEFAULT_PORT = 7280;

/** The port, chosen at the first start of a state folder and kept from then on. */
export async function reportPort(paths: StatePaths): Promise<number> {
  const file = join(paths.root, 'report-port.json');
  const known = await readJsonFile<{ port: number }>(file);
  if (known) return known.port;
  const port = await freePort(DEFAULT_PORT).catch(() => freePort(0));
  await writeJsonFile(file, { port });
  return port;
}

function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
