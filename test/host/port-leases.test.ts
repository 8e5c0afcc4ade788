/** Ports that a server keeps while nobody listens on them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PortLeases } from '../../host/port-leases.ts';

const FIRST = 20_011;

let folder: string;
const servers: PortLeases[] = [];
const server = (): PortLeases => {
  const leases = new PortLeases(join(folder, 'ports'));
  servers.push(leases);
  return leases;
};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iguana-ports-'));
});
afterEach(async () => {
  for (const leases of servers.splice(0)) await leases.release();
  await rm(folder, { recursive: true });
});

test('servers that start at once get different ones, and keep them though nobody listens', async () => {
  const ports = await Promise.all([1, 2, 3].map(() => server().takeFrom(FIRST)));
  expect(new Set(ports).size).toBe(3);
  expect(await server().tryTake(ports[0] ?? 0)).toBe(false);
});

test('one that is given back is there again', async () => {
  const first = server();
  const port = await first.takeFrom(FIRST);
  await first.release();
  expect(await server().tryTake(port)).toBe(true);
});

test('what something else listens on is passed over, and not kept', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(FIRST + 1, '127.0.0.1', resolve));
  try {
    expect(await server().takeFrom(FIRST + 1)).toBe(FIRST + 101);
  } finally {
    await new Promise((resolve) => other.close(resolve));
  }
  expect(await server().tryTake(FIRST + 1)).toBe(true);
});

test('where all are taken it says which', async () => {
  await expect(server().takeFrom(32_000)).rejects.toThrow(
    'taking a port for a server: 32000 and every 100th after it are taken',
  );
});
