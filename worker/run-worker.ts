/** What all worker processes share: connecting, polling, and stopping without losing anything. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { LivenessInterceptor } from '../activities/progress.ts';
import { connectionSettings } from '../host/connection.ts';

/** A started server needs some seconds; a cluster that is away comes back: keep trying. */
const CONNECT_RETRY_MS = 1_000;

/**
 * How long a stopping worker lets its activities end by themselves. Every activity obeys cancellation and all can be
 * run again, so this only saves work.
 */
const SHUTDOWN_GRACE = '5 seconds';

/** Heartbeats reach the server at once; the default throttle would lose up to 60 s of flushed progress at a kill. */
const HEARTBEAT_THROTTLE = '500 milliseconds';

/** The part of the options that differs between workers. */
export type WorkerParts = Pick<
  WorkerOptions,
  'taskQueue' | 'activities' | 'workflowBundle' | 'maxConcurrentActivityTaskExecutions'
>;

async function connect(
  logger: Logger,
  signal: AbortSignal,
): Promise<{ connection: NativeConnection; namespace: string }> {
  for (;;) {
    const { connectionOptions, namespace } = await connectionSettings();
    try {
      return { connection: await NativeConnection.connect(connectionOptions), namespace };
    } catch (error) {
      logger.warn(
        { err: error, address: connectionOptions.address },
        'connecting to Temporal failed; trying again',
      );
      await sleep(CONNECT_RETRY_MS, undefined, { signal });
    }
  }
}

/**
 * Runs one worker until SIGTERM or SIGINT.
 * @throws Error when Temporal refuses the worker; never for a server that is away
 */
export async function runWorker(logger: Logger, parts: WorkerParts): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());

  const { connection, namespace } = await connect(logger, stop.signal);
  try {
    const worker = await Worker.create({
      connection,
      namespace,
      shutdownGraceTime: SHUTDOWN_GRACE,
      maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
      defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
      interceptors: { activity: [() => ({ inbound: new LivenessInterceptor() })] },
      ...parts,
    });
    stop.signal.addEventListener('abort', () => worker.shutdown());
    logger.info({ taskQueue: parts.taskQueue }, 'worker polls');
    await worker.run();
  } finally {
    await connection.close();
  }
}
