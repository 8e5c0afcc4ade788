/** What all worker processes share: connecting, polling, and stopping without losing anything. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ActivityInboundCallsInterceptor,
  type DataConverter,
  NativeConnection,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import type { Logger } from 'pino';
import { LivenessInterceptor } from '../activities/progress.ts';
import { dataConverter } from '../host/codec/data-converter.ts';
import { connectionSettings } from '../host/connection.ts';
import { statePaths } from '../host/state.ts';

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
  'taskQueue' | 'activities' | 'workflowBundle' | 'maxConcurrentActivityTaskExecutions' | 'identity'
> & {
  /** Around every activity, besides its heartbeat. */
  readonly interceptor?: ActivityInboundCallsInterceptor;
};

/** A connection to Temporal, or to a gateway in front of it. */
export interface Connected {
  readonly connection: NativeConnection;
  readonly namespace: string;
}

/** Where a worker gets its connection from. */
export interface ConnectionSource {
  /** What payloads at the other end of the connection have to be. */
  readonly dataConverter: DataConverter;
  /** @throws where Temporal is away; it is tried again */
  connect(): Promise<Connected>;
  /** Runs beside the worker, to keep its connection usable. Ends with the signal, and never throws. */
  lookAfter?(worker: Worker, signal: AbortSignal): Promise<void>;
}

/** Temporal itself, as Temporal's own configuration or the server of this host says. */
const DIRECTLY: ConnectionSource = {
  dataConverter: dataConverter(statePaths()),
  async connect() {
    const { connectionOptions, namespace } = await connectionSettings();
    return { connection: await NativeConnection.connect(connectionOptions), namespace };
  },
};

async function connect(source: ConnectionSource, logger: Logger, signal: AbortSignal): Promise<Connected> {
  for (;;) {
    try {
      return await source.connect();
    } catch (error) {
      logger.warn({ err: error }, 'connecting to Temporal failed; trying again');
      await sleep(CONNECT_RETRY_MS, undefined, { signal });
    }
  }
}

/**
 * Runs one worker until SIGTERM or SIGINT.
 * @param source default: Temporal itself
 * @throws Error when Temporal refuses the worker; never for a server that is away
 */
export async function runWorker(
  logger: Logger,
  { interceptor, ...parts }: WorkerParts,
  source: ConnectionSource = DIRECTLY,
): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());

  const { connection, namespace } = await connect(source, logger, stop.signal);
  let current = connection;
  try {
    const worker = await Worker.create({
      connection,
      namespace,
      dataConverter: source.dataConverter,
      shutdownGraceTime: SHUTDOWN_GRACE,
      maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
      defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
      interceptors: {
        activity: [
          () => ({ inbound: new LivenessInterceptor() }),
          ...(interceptor ? [() => ({ inbound: interceptor })] : []),
        ],
      },
      ...parts,
    });
    stop.signal.addEventListener('abort', () => worker.shutdown());
    logger.info({ taskQueue: parts.taskQueue }, 'worker polls');
    const ended = new AbortController();
    const looking = source.lookAfter?.(worker, ended.signal);
    try {
      await worker.run();
    } finally {
      ended.abort();
      await looking;
      current = worker.connection ?? connection;
    }
  } finally {
    await current.close();
  }
}
