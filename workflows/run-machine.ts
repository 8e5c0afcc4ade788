/** `runMachine`: a virtual machine that somebody wants to use; it is watched and stopped like those of installs. */
import type { VirtualMachineInput } from '../activities/contract.ts';
import { virtualMachine } from './policies.ts';

/** Runs it until its guest switches it off, or the workflow is cancelled. */
export async function runMachine(input: VirtualMachineInput): Promise<void> {
  await virtualMachine.runVirtualMachine(input);
}
