/** The agent's container in a registry. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureAgentImage } from '../../host/containers/agent.ts';
import { openEngine } from '../../host/engine/open.ts';
import { statePaths } from '../../host/state.ts';
import { folderWith } from '../image/servers/folder.ts';

/**
 * Puts the agent of these sources into a registry of this host.
 * @param to `HOST:PORT/REPOSITORY`
 * @returns its digest there
 */
export async function pushAgent(to: string): Promise<string> {
  const tag = await ensureAgentImage(await openEngine(statePaths()), statePaths(), () => undefined);
  const digest = join(folderWith(), 'digest');
  await execa('podman', ['push', '--tls-verify=false', '--digestfile', digest, tag, `docker://${to}`]);
  return (await readFile(digest, 'utf8')).trim();
}
