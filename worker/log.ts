/**
 * Logging of the worker processes: JSON lines on standard output, which the server keeps in its log folder; on a machine's console, words.
 */
import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { type Logger, pino } from 'pino';
import { wordsDestination } from './console/words.ts';

const PINO_LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Makes the logger of a process and gives it to Temporal's runtime too. `IGUANA_LOG` sets the level, default `info`;
 * `IGUANA_CONSOLE=words` writes for people.
 * @param process name of the process, in every line
 */
export function installLogger(process_: string): Logger {
  const level = process.env.IGUANA_LOG ?? 'info';
  const options = {
    name: process_,
    level,
    base: { pid: process.pid },
    serializers: { err: pino.stdSerializers.errWithCause },
  };
  const logger = process.env.IGUANA_CONSOLE === 'words' ? pino(options, wordsDestination) : pino(options);
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
