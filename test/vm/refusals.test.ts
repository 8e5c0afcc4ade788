/** Machines that cannot start: each says why, and nothing is left running. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VirtualMachineInput } from '../../activities/contract.ts';
import { powerActivities } from '../../activities/power/index.ts';
import { freePort } from '../../host/free-port.ts';
import { statePaths } from '../../host/state.ts';

let folder: string;
let busy: Server;
let busyPort: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iguana-vm-'));
  await writeFile(join(folder, 'disk.img'), '');
  await truncate(join(folder, 'disk.img'), 64 * 2 ** 20);
  busyPort = await freePort();
  busy = createServer().listen(busyPort, '127.0.0.1');
});
afterAll(async () => {
  busy.close();
  await rm(folder, { recursive: true });
});

test.each<[string, () => Partial<VirtualMachineInput>, RegExp]>([
  ['no disk', () => ({ path: join(folder, 'none.img') }), /there is no such disk image/],
  ['a port that is taken', () => ({ sshPort: busyPort }), /Could not set up host forwarding rule/],
  ['more processors than there can be', () => ({ cpus: 5000 }), /cpus/i],
])('%s', async (_what, change, message) => {
  const { runVirtualMachine } = powerActivities(statePaths({ IGUANA_STATE: folder }));
  const input = {
    machineId: 'refused,1',
    path: join(folder, 'disk.img'),
    memoryMiB: 256,
    cpus: 1,
    sshPort: await freePort(),
    ...change(),
  };
  await expect(new MockActivityEnvironment().run(runVirtualMachine, input)).rejects.toMatchObject({
    type: 'VirtualMachineFailed',
    nonRetryable: false,
    message: expect.stringMatching(message),
  });
  const { exitCode } = await execa('pgrep', ['--full', `^qemu-system.*${folder}`], { reject: false });
  expect(exitCode).toBe(1);
});
