/** Leaving the installer, and knowing that the installed system has come up. */
import { ApplicationFailure, condition } from '@temporalio/workflow';
import type { InstallState } from './install-state.ts';
import { agentActivities, control } from './policies.ts';
import type { RunningMachine } from './running-machine.ts';

/** Does what the manifest says is done with the finished disk. */
export async function handOff(state: InstallState, machine: RunningMachine): Promise<string> {
  const { machineId, target } = state.input;
  const { action, virtualMachine } = state.planned.manifest.handoff;
  switch (action) {
    case 'none':
      return 'nothing to do';
    case 'reboot':
    case 'poweroff':
      await agentActivities(machineId).leave({ action, target });
      return action;
    case 'virtual-machine': {
      if (target.kind !== 'file') {
        throw ApplicationFailure.nonRetryable(
          'a virtual machine boots a disk image, and this install is on a real disk',
        );
      }
      const { memory, cpus, sshPort } = virtualMachine;
      await machine.start({ machineId, path: target.path, memoryMiB: memory, cpus, sshPort });
      return 'booting in QEMU';
    }
  }
}

/**
 * Waits until the installed system has reported.
 * @throws ApplicationFailure `FirstBootTimeout`, with the end of the console log
 */
export async function awaitFirstBoot(state: InstallState, machine: RunningMachine): Promise<string> {
  const { wait, timeoutSeconds } = state.planned.manifest.confirmation;
  if (wait === 'none') return 'not asked for';
  await condition(() => state.firstBoot !== undefined || machine.ended, timeoutSeconds * 1000);
  const report = state.firstBoot;
  if (!report && machine.failure) throw machine.failure;
  await machine.stop();
  if (!report)
    return control.firstBootOverdue({
      machineId: state.input.machineId,
      poweredOff: machine.ended,
      timeoutSeconds,
    });
  return `${report.hostname} runs ${report.kernel}`;
}
