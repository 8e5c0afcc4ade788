/** Runs a virtual machine as a worker would, in a process of its own: `run-machine.ts STATE INPUT-JSON`. */
import { MockActivityEnvironment } from '@temporalio/testing';
import type { VirtualMachineInput } from '../../activities/contract.ts';
import { powerActivities } from '../../activities/power/index.ts';
import { statePaths } from '../../host/state.ts';

const [state = '', input = ''] = process.argv.slice(2);
const { runVirtualMachine } = powerActivities(statePaths({ IGUANA_STATE: state }));
const environment = new MockActivityEnvironment();
environment.on('heartbeat', (progress) => process.stdout.write(`${JSON.stringify(progress)}\n`));
await environment.run(runVirtualMachine, JSON.parse(input) as VirtualMachineInput);
