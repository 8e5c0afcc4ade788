/** Logging of the worker processes: JSON lines on standard output, which the server keeps in its log folder. */
import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { type Logger, pino } from 'pino';

const PINO_LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Makes the logger of a process and gives it to Temporal's runtime too. `IGUANA_LOG` sets the level, default `info`.
 * @param process name of the process, in every line
 */
export function installLogger(process_: string): Logger {
  const level = process.env.IGUANA_LOG ?? 'info';
  const logger = pino({ name: process_, level, base: { pid: process.pid } });
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level: entryLevel, message, meta }: LogEntry) => {
      logger[PINO_LEVELS[entryLevel]](meta ?? {}, message);
    }),
    // The server stops its workers in order; Temporal's own handlers would race with that.
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
  });
  return logger;
}
