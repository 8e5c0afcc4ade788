/** The agent's container in a registry. */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const MAIN = fileURLToPath(new URL('../../client/main.ts', import.meta.url));

/**
 * Puts the agent of these sources into a registry of this host, as people do.
 * @param to `HOST:PORT/REPOSITORY`
 * @param ca authority of the registry, a file
 * @returns its digest there
 */
export async function pushAgent(to: string, ca: string): Promise<string> {
  const words = ['boot', 'agent', `docker://${to}`, '--ca', ca, '--output', 'json'];
  const { stdout } = await execa(process.execPath, [MAIN, ...words]);
  return (JSON.parse(stdout) as { digest: string }).digest;
}
