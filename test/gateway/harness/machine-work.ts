/** What machines do in the gateway's tests, by real workers that know the gateway only. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Gateway } from '../../../gateway/gateway.ts';
import { MACHINE_CONVERTER } from '../../../host/codec/data-converter.ts';
import type { EnrolledMachine } from './site.ts';

/** Between two heartbeats. */
const STEP_MS = 200;

/** The activities of a machine. */
export interface MachineActivities {
  /** Counts with a heartbeat for each number; answers how far it came. To a number below zero it cannot count. */
  count(to: number, payload: string): Promise<number>;
}

/** Numbers that were counted, and whether a cancellation came. */
export interface WorkSeen {
  counted: number;
  payload?: string;
  cancelled: boolean;
}

/** Runs a machine's worker through a gateway while `action` runs. */
export async function withMachine<T>(
  gateway: Pick<Gateway, 'port' | 'authority'>,
  machine: EnrolledMachine,
  action: (seen: WorkSeen, worker: Worker) => Promise<T>,
): Promise<T> {
  const seen: WorkSeen = { counted: 0, cancelled: false };
  const connection = await connectMachine(gateway, machine);
  const activities: MachineActivities = {
    async count(to, payload) {
      const context = Context.current();
      for (let n = 1; n <= to; n++) {
        context.heartbeat({ n, payload });
        seen.counted = n;
        seen.payload = payload;
        try {
          await context.sleep(STEP_MS);
        } catch (error) {
          seen.cancelled = true;
          throw error;
        }
      }
      if (to < 0) throw ApplicationFailure.nonRetryable(`cannot count: ${payload}`, 'Test', payload);
      return to;
    },
  };
  try {
    const worker = await Worker.create({
      connection,
      dataConverter: MACHINE_CONVERTER,
      namespace: 'default',
      taskQueue: `machine/${machine.id}`,
      activities: { ...activities },
      maxHeartbeatThrottleInterval: STEP_MS,
      defaultHeartbeatThrottleInterval: STEP_MS,
    });
    return await worker.runUntil(() => action(seen, worker));
  } finally {
    await connection.close();
  }
}

/** A worker's connection to Temporal through a gateway. */
export async function connectMachine(
  gateway: Pick<Gateway, 'port' | 'authority'>,
  machine: EnrolledMachine,
): Promise<NativeConnection> {
  return await NativeConnection.connect({
    address: `127.0.0.1:${gateway.port}`,
    tls: {
      serverRootCACertificate: Buffer.from(gateway.authority.certificate),
      clientCertPair: { crt: Buffer.from(machine.certificate), key: Buffer.from(machine.keyPem) },
    },
  });
}
