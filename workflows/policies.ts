/**
 * How activities are timed and retried, and why.
 *
 * - A heartbeat timeout of 10 s: workers heartbeat every 2 s, so a dead one is noticed soon and a busy one is not
 *   mistaken for dead.
 * - No schedule-to-start or schedule-to-close timeout on a machine's steps: a machine that is switched off over the
 *   weekend goes on when it is back.
 * - 20 attempts, with waits from 1 s to 30 s: about eight minutes of trying by itself, also through a dozen kills;
 *   after that somebody is asked. Failures that trying cannot mend are marked so in the catalogue and ask at once.
 */
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { AgentActivities, BuilderActivities, ControlActivities } from '../activities/contract.ts';
import { BUILDER_QUEUE, CONTROL_QUEUE, machineQueue } from './api.ts';

const RETRY = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '30 seconds',
  maximumAttempts: 20,
} as const;

/** As often as its schedule-to-close timeout allows. */
const { maximumAttempts: _, ...CLEAN_UP_RETRY } = RETRY;

const HEARTBEAT = '10 seconds';

/** Steps of the machine's agent. Cancelling waits until the step has cleaned up behind itself. */
export function agentActivities(machineId: string): AgentActivities {
  return proxyActivities<AgentActivities>({
    taskQueue: machineQueue(machineId),
    // The slowest step is writing: 1 TB at 100 MB/s takes three hours.
    startToCloseTimeout: '6 hours',
    heartbeatTimeout: HEARTBEAT,
    retry: RETRY,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
}

/** Cleaning up after an install that ended early: waits for an agent, but not for ever. */
export function cleanUpActivities(machineId: string): Pick<AgentActivities, 'release'> {
  return proxyActivities<AgentActivities>({
    taskQueue: machineQueue(machineId),
    scheduleToCloseTimeout: '10 minutes',
    startToCloseTimeout: '2 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: CLEAN_UP_RETRY,
  });
}

/**
 * Leaving the installer: an agent that is there does it at once. Tried three times only, since a machine whose answer was
 * lost may be in the installed system already, or in the installer again.
 */
export function leaveActivities(machineId: string): Pick<AgentActivities, 'leave'> {
  return proxyActivities<AgentActivities>({
    taskQueue: machineQueue(machineId),
    scheduleToCloseTimeout: '10 minutes',
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: HEARTBEAT,
    retry: { ...RETRY, maximumAttempts: 3 },
  });
}

/** Building takes minutes; an image with compilers and a slow mirror, hours. */
export const builder = proxyActivities<BuilderActivities>({
  taskQueue: BUILDER_QUEUE,
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** Planning is computing, the excerpt is reading a file: both are quick or broken. */
export const control = proxyActivities<ControlActivities>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '1 minute',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
});

/** A virtual machine runs for as long as its install waits for it. */
export const virtualMachine = proxyActivities<ControlActivities>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '8 days',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});
