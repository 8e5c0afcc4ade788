/** A QEMU that is killed while it is spoken to. */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { machineFiles } from '../../activities/power/machine-files.ts';
import { Qmp } from '../../activities/power/qmp.ts';
import { statePaths } from '../../host/state.ts';

test('a connection that is reset fails the command, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'iguana-qmp-'));
  const files = machineFiles(statePaths({ IGUANA_STATE: folder }), 'killed,1');
  await mkdir(files.folder, { recursive: true });
  // Like a process that ends with unread words in its socket (unix(7)): the other side gets ECONNRESET.
  const server = createServer({ pauseOnConnect: true }).listen(join(files.folder, files.socketName));
  await once(server, 'listening');
  server.once('connection', (socket: Socket) => setTimeout(() => socket.destroy(), 200));
  try {
    await expect(Qmp.connect(files)).rejects.toThrow(/ECONNRESET/);
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});
