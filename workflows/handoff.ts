/** Leaving the installer, and knowing that the installed system has come up. */
import { ApplicationFailure, CancellationScope, condition } from '@temporalio/workflow';
import type { LeaveInput } from '../activities/contract.ts';
import type { InstallState } from './install-state.ts';
import { control, leaveActivities } from './policies.ts';
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
    case 'kexec':
      state.hasBooted = true;
      if (!state.firstBoot) await leave(state, action);
      return action;
    case 'virtual-machine': {
      if (target.kind !== 'file') {
        throw ApplicationFailure.nonRetryable(
          'a virtual machine boots a disk image, and this install is on a real disk',
        );
      }
      const { memory, cpus, sshPort } = virtualMachine;
      state.hasBooted = true;
      await machine.start({ machineId, path: target.path, memoryMiB: memory, cpus, sshPort });
      return 'booting in QEMU';
    }
  }
}

/**
 * Asks the agent to leave, until the machine is known to have left: by the agent's word, or, where that was lost with
 * the machine, by the installed system's report.
 * @throws ActivityFailure where nobody has said so within the time of {@link leaveActivities}
 */
async function leave(state: InstallState, action: LeaveInput['action']): Promise<void> {
  const { machineId, target } = state.input;
  const scope = new CancellationScope();
  try {
    await scope.run(() =>
      Promise.race([
        condition(() => state.firstBoot !== undefined),
        leaveActivities(machineId).leave(
          action === 'kexec' ? { action, ...state.diskStep } : { action, target },
        ),
      ]),
    );
  } finally {
    scope.cancel();
  }
}

/**
 * Waits until the installed system has reported.
 * @throws ApplicationFailure `FirstBootTimeout` or `FirstBootScriptFailed`, with the end of the console log
 */
export async function awaitFirstBoot(state: InstallState, machine: RunningMachine): Promise<string> {
  const { machineId } = state.input;
  const { wait, timeoutSeconds } = state.planned.manifest.confirmation;
  if (wait === 'none') return 'not asked for';
  await condition(() => state.firstBoot !== undefined || machine.ended, timeoutSeconds * 1000);
  const report = state.firstBoot;
  if (!report && machine.failure) throw machine.failure;
  const poweredOff = machine.ended;
  await machine.stop();
  if (!report) return control.firstBootOverdue({ machineId, poweredOff, timeoutSeconds });
  const { failedScripts = [] } = report;
  if (failedScripts.length > 0) return control.firstBootScriptsFailed({ machineId, failedScripts });
  return `${report.hostname} runs ${report.kernel}`;
}
