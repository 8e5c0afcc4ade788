/** The embedded Temporal server: data that survives a kill, one server to a database, and where the CLI comes from. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PortLeases } from '../../host/port-leases.ts';
import { type StatePaths, statePaths } from '../../host/state.ts';
import {
  EMBEDDED_NAMESPACE,
  type EmbeddedTemporal,
  embeddedTemporal,
  untilTemporalReady,
} from '../../host/temporal/server.ts';
import { findTemporal, supplyTemporal } from '../../host/temporal/supply.ts';

const TEN_YEARS_SECONDS = 3650 * 24 * 3600;
let folder: string;
let paths: StatePaths;
let cli: string;
const started: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iguana-temporal-'));
  cli = (await supplyTemporal(statePaths(), () => undefined)).path;
  paths = statePaths({ ...process.env, IGUANA_STATE: folder });
});
afterAll(async () => {
  for (const child of started.filter(
    ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
  )) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(folder, { recursive: true, force: true });
});

function run({ command, args }: EmbeddedTemporal): ChildProcess {
  const child = spawn(command, args, { stdio: 'ignore' });
  started.push(child);
  return child;
}

/** Ports on which a process listens, by the address as the kernel writes it, from proc_pid_net(5). */
async function listeningOf(pid: number): Promise<{ address: string; port: number }[]> {
  const LISTEN = '0A';
  const fds = `/proc/${pid}/fd`;
  const names = await Promise.all((await readdir(fds)).map((fd) => readlink(join(fds, fd)).catch(() => '')));
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((table) => readFile(`/proc/${pid}/net/${table}`, 'utf8')),
  );
  return tables
    .flatMap((table) => table.split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === LISTEN && names.includes(`socket:[${inode}]`))
    .map(([, local = '']) => local.split(':'))
    .map(([address = '', port = '']) => ({ address, port: Number.parseInt(port, 16) }));
}

async function withClient<T>(address: string, action: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await action(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

describe('the embedded server', () => {
  test('keeps its data and its address over a SIGKILL, alone on its database, histories for ten years', async () => {
    const leases = new PortLeases(paths.ports);
    const first = await embeddedTemporal(paths, cli, leases, ['IguanaTest']);
    const server = run(first);
    await untilTemporalReady(first.address, AbortSignal.timeout(60_000));
    await withClient(first.address, async (client) => {
      await client.workflow.start('anything', {
        taskQueue: 'nobody',
        workflowId: 'survivor',
        searchAttributes: { IguanaTest: ['yes'] },
      });
    });

    // 127.0.0.1, and ::1, as the kernel writes them: gRPC and the Web UI know no password.
    const listening = await listeningOf(server.pid ?? 0);
    const uiPort = Number(new URL(first.uiAddress).port);
    expect(listening.map(({ port }) => port)).toEqual(
      expect.arrayContaining([Number(first.address.split(':')[1]), uiPort]),
    );
    const LOOPBACK = ['0100007F', '00000000000000000000000001000000', '0000000000000000FFFF00000100007F'];
    expect(listening.filter(({ address }) => !LOOPBACK.includes(address))).toEqual([]);

    const [status] = await once(run(first), 'exit');
    expect(status).not.toBe(0);
    expect(server.exitCode).toBeNull();

    server.kill('SIGKILL');
    await once(server, 'exit');
    // Of another server that starts just then.
    const others = new PortLeases(paths.ports);
    const [, port] = first.address.split(':');
    expect(await others.tryTake(Number(port))).toBe(false);
    await leases.release();
    const again = await embeddedTemporal(paths, cli, leases, ['IguanaTest']);
    expect(again.address).toBe(first.address);
    run(again);
    await untilTemporalReady(again.address, AbortSignal.timeout(60_000));
    await withClient(again.address, async (client) => {
      const { status, searchAttributes } = await client.workflow.getHandle('survivor').describe();
      expect(status.name).toBe('RUNNING');
      expect(searchAttributes.IguanaTest).toEqual(['yes']);
      const { config } = await client.workflowService.describeNamespace({ namespace: EMBEDDED_NAMESPACE });
      expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(TEN_YEARS_SECONDS);
    });
    await leases.release();
  });
});

describe('the Temporal CLI', () => {
  test('IGUANA_TEMPORAL comes first, and is named when it is none', async () => {
    expect((await findTemporal(paths, { IGUANA_TEMPORAL: cli }))?.source).toBe('IGUANA_TEMPORAL');
    const other = join(folder, 'other');
    await writeFile(other, '#!/bin/sh\necho something else\n', { mode: 0o755 });
    await expect(findTemporal(paths, { IGUANA_TEMPORAL: other })).rejects.toThrow(/IGUANA_TEMPORAL/);
  });

  test('one on the PATH whose server is too old is passed over', async () => {
    const programs = await mkdtemp(join(folder, 'path-'));
    const old = join(programs, 'temporal');
    await writeFile(old, '#!/bin/sh\necho "temporal version 1.1.0 (Server 1.25.0, UI 2.30.0)"\n', {
      mode: 0o755,
    });
    const found = await findTemporal(paths, { PATH: programs });
    expect(found?.source).not.toBe('PATH');
  });
});
