/** Keeps what an agent says: its container, and with it the engine's log, is removed with every restart. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { AgentHost } from './agents.ts';

/**
 * Appends what a container says to `agent-MACHINE.log` until it ends.
 * @param output attached to the container's standard output and standard error
 */
export async function keepLog(
  host: AgentHost,
  output: NodeJS.ReadableStream,
  machineId: string,
): Promise<void> {
  await mkdir(host.paths.logs, { recursive: true });
  const file = createWriteStream(join(host.paths.logs, `agent-${encodeURIComponent(machineId)}.log`), {
    flags: 'a',
    mode: 0o600,
  });
  const lines = new PassThrough();
  lines.pipe(file);
  host.docker.modem.demuxStream(output, lines, lines);
  output.once('close', () => lines.end());
  output.once('error', (error) => {
    host.logger.warn({ machineId, err: error }, 'reading the output of the agent failed');
    lines.end();
  });
}
