import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { VirtualMachineInput } from '../../activities/contract.ts';
import { CONTROL_QUEUE, UPDATES, WORKFLOWS } from '../../workflows/api.ts';
import { InstallHarness } from './install-harness.ts';
import { Script, untilCancelled } from './scripted-activities.ts';

let harness: InstallHarness;
beforeAll(async () => {
  harness = await InstallHarness.start();
});
afterAll(() => harness.stop());

const MACHINE: VirtualMachineInput = {
  machineId: 'm',
  path: '/disk.img',
  memoryMiB: 512,
  cpus: 1,
  sshPort: 0,
  boot: { kernel: '/kernel', initrd: '/initrd', commandLine: 'quiet' },
};

const start = (input: VirtualMachineInput) =>
  harness.client.workflow.start(WORKFLOWS.runMachine, {
    taskQueue: CONTROL_QUEUE,
    workflowId: randomUUID(),
    args: [input],
  });

it('starts from the boot image, after a power cut too, and from the disk once the guest has switched itself off', async () => {
  const starts: boolean[] = [];
  const powerCut = Promise.withResolvers<void>();
  const script = new Script({
    runVirtualMachine: async ({ boot }) => {
      starts.push(boot !== undefined);
      if (starts.length > 1) return;
      await powerCut.promise;
      throw new Error('QEMU was killed');
    },
    cutPower: async () => powerCut.resolve(),
  });
  await harness.withWorkers(script, [], async () => {
    const run = await start(MACHINE);
    await run.executeUpdate(UPDATES.cutPower);
    await run.result();
  });
  expect(starts).toEqual([true, true, false]);
});

it('ends a machine without a boot image when its guest switches it off, and when it is cancelled', async () => {
  const { boot: _, ...fromDisk } = MACHINE;
  const script = new Script();
  await harness.withWorkers(script, [], async () => (await start(fromDisk)).result());
  expect(script.count('runVirtualMachine')).toBe(1);

  const hanging = new Script({ runVirtualMachine: untilCancelled });
  await harness.withWorkers(hanging, [], async () => {
    const run = await start(fromDisk);
    await expect.poll(() => hanging.count('runVirtualMachine')).toBe(1);
    await run.cancel();
    await expect(run.result()).rejects.toThrow(/cancel/i);
  });
});
