/** `runMachine`: a virtual machine that somebody wants to use; it is watched and stopped like those of installs. */
import { defineUpdate, setHandler } from '@temporalio/workflow';
import type { VirtualMachineInput } from '../activities/contract.ts';
import { UPDATES } from './api.ts';
import { control, virtualMachine } from './policies.ts';

const cutPower = defineUpdate(UPDATES.cutPower);

/**
 * Runs it until its guest switches it off, or the workflow is cancelled. One that starts from a boot image starts from its disk once it
 * has switched itself off. A power cut fails the running activity, and the next attempt switches the machine on again.
 */
export async function runMachine(input: VirtualMachineInput): Promise<void> {
  const { machineId } = input;
  setHandler(cutPower, () => control.cutPower({ machineId }));
  await virtualMachine.runVirtualMachine(input);
  if (!input.boot) return;
  const { boot: _, ...fromDisk } = input;
  await virtualMachine.runVirtualMachine(fromDisk);
}
