/** Keeps what an agent says: its container, and with it the engine's log, is removed with every restart. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import type { AgentHost } from './agents.ts';

/** Appends the output of a container to `agent-MACHINE.log` until it ends. */
export async function keepLog(
  host: AgentHost,
  container: Docker.Container,
  machineId: string,
): Promise<void> {
  await mkdir(host.paths.logs, { recursive: true });
  const file = createWriteStream(join(host.paths.logs, `agent-${encodeURIComponent(machineId)}.log`), {
    flags: 'a',
    mode: 0o600,
  });
  const stream = await container.logs({ follow: true, stdout: true, stderr: true });
  const lines = new PassThrough();
  lines.pipe(file);
  host.docker.modem.demuxStream(stream, lines, lines);
  stream.once('close', () => lines.end());
  stream.once('error', (error) => {
    host.logger.warn({ machineId, err: error }, 'reading the output of the agent failed');
    lines.end();
  });
}
