/** A machine whose power was cut in the middle of its downloads comes back: its old connections, which nobody has closed, are not in its way. */
import { once } from 'node:events';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../gateway/limits.ts';
import { Https } from './harness/https.ts';
import { GatewaySite } from './harness/site.ts';

/** More than the buffers of both ends hold. */
const BLOB_BYTES = 64 * 2 ** 20;
const CONNECTIONS = 4;

let site: GatewaySite;
beforeEach(() => {
  site = new GatewaySite();
});
afterEach(() => site.remove());

it('is let in again when its old connections have been silent for a while', async () => {
  const hex = '0'.repeat(64);
  await mkdir(join(site.store, 'blobs/sha256'), { recursive: true });
  const blob = join(site.store, 'blobs/sha256', hex);
  await writeFile(blob, '');
  await truncate(blob, BLOB_BYTES);
  const limits = { ...DEFAULT_LIMITS, machineConnections: CONNECTIONS, silenceMs: 1_000 };
  const gateway = await site.start({ limits });
  const machine = await site.machine(gateway, 1);
  const tls = { cert: machine.certificate, key: machine.keyPem };
  const before: TLSSocket[] = [];
  try {
    while (before.length < CONNECTIONS) {
      const socket = connect({
        port: gateway.port,
        host: '127.0.0.1',
        ca: gateway.authority.certificate,
        ...tls,
      });
      before.push(socket);
      await once(socket, 'secureConnect');
      // The first answer is read, of the second not a byte: neither is its connection closed.
      socket.write('GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n');
      await once(socket, 'data');
      socket.pause();
      socket.write(`GET /images/blobs/sha256/${hex} HTTP/1.1\r\nHost: gateway\r\n\r\n`);
    }
    using again = new Https(gateway, tls);
    await expect(again.get('/healthz')).rejects.toThrow();
    const asked = async () =>
      await again.get('/healthz').then(
        ({ status }) => status,
        () => undefined,
      );
    await expect.poll(asked, { timeout: 30_000, interval: 200 }).toBe(200);
  } finally {
    for (const socket of before) socket.destroy();
  }
});
