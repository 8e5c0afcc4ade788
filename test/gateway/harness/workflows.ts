/** The workflow of the gateway's tests: one activity on one machine, and what came of it. */
import {
  ActivityCancellationType,
  condition,
  defineQuery,
  defineSignal,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import type { AgentActivities } from '../../../activities/contract.ts';
import type { MachineActivities } from './machine-work.ts';

/** Has a machine count. A lost attempt fails the workflow: these tests are about losing none. */
export async function count(machineId: string, to: number, payload = ''): Promise<number> {
  const activities = proxyActivities<MachineActivities>({
    taskQueue: `machine/${machineId}`,
    startToCloseTimeout: '3 minutes',
    // Longer than a gateway's restart, shorter than any lost heartbeat stays unnoticed.
    heartbeatTimeout: '6 seconds',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: { maximumAttempts: 1 },
  });
  return await activities.count(to, payload);
}

/** Has an agent do the one of its steps that changes nothing where there is nothing. */
export async function release(machineId: string): Promise<void> {
  const activities = proxyActivities<Pick<AgentActivities, 'release'>>({
    taskQueue: `machine/${machineId}`,
    startToCloseTimeout: '1 minute',
    // A task that went astray is noticed by this: it is not given out again.
    retry: { maximumAttempts: 1 },
  });
  await activities.release({ installId: 'none-of-this-name', target: { kind: 'machine' } });
}

/** Ends {@link installNaming}. */
export const endSignal = defineSignal('end');

/** An install, as far as the gateway looks at it: its manifest has users whose passwords are secrets of these names. */
export async function installNaming(secrets: readonly string[]): Promise<void> {
  let ended = false;
  setHandler(defineQuery<unknown>('manifest'), () => ({
    machine: {
      users: [
        { name: 'own', passwordHash: '$y$own' },
        { name: 'keyed' },
        ...secrets.map((secret) => ({ name: secret, passwordHash: { secret } })),
      ],
    },
  }));
  setHandler(endSignal, () => {
    ended = true;
  });
  await condition(() => ended);
}
