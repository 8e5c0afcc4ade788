/** Starting and stopping the embedded server from a command. */
import { spawn } from 'node:child_process';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findServer, processStart, type ServerRecord } from '../../host/server-record.ts';
import type { StatePaths } from '../../host/state.ts';
import { CommandError } from '../errors.ts';
import { LEVEL_WARN, LogTail } from './log-tail.ts';

/** The program of the server process. */
export const SERVER_PROGRAM = fileURLToPath(new URL('../../worker/server.ts', import.meta.url));
const POLL_MS = 100;

/** Lines of the log that are shown where the server does not come up. */
const SHOWN_LINES = 12;

/** @returns the server's log file */
export const serverLog = (paths: StatePaths): string => join(paths.logs, 'server.log');

/**
 * The running server; starts one where none runs and waits until it is ready. The first start ever sets up Temporal and
 * the agent's container, which takes minutes: there is no deadline for as long as the process lives.
 * @param tell is told each step in words
 * @throws CommandError with the end of the log, where it does not come up
 */
export async function ensureServer(paths: StatePaths, tell: (line: string) => void): Promise<ServerRecord> {
  const running = await findServer(paths);
  if (running) return running;
  await mkdir(paths.logs, { recursive: true });
  const log = await open(serverLog(paths), 'a', 0o600);
  try {
    tell('starting the Iguana server');
    const tail = new LogTail(serverLog(paths), (await log.stat()).size);
    const child = spawn(process.execPath, [SERVER_PROGRAM], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
    });
    let end: string | undefined;
    child.once('error', (error) => {
      end = error.message;
    });
    child.once('exit', (code, signal) => {
      end = signal ?? `exit status ${code}`;
    });
    child.unref();
    const record = await untilReady(paths, tail, () => end, tell);
    // Another start was first: this one has nothing to do, and must not take over when that server is stopped.
    if (record.pid !== child.pid) child.kill();
    return record;
  } finally {
    await log.close();
  }
}

async function untilReady(
  paths: StatePaths,
  tail: LogTail,
  ended: () => string | undefined,
  tell: (line: string) => void,
): Promise<ServerRecord> {
  const shown: string[] = [];
  for (;;) {
    // Asked first: a server that found another one running ends, and that one's record is there.
    const end = ended();
    for (const { level, text } of await tail.read()) {
      shown.push(text);
      tell(level >= LEVEL_WARN ? `warning: ${text}` : text);
    }
    const record = await findServer(paths);
    if (record) return record;
    if (end !== undefined) {
      throw new CommandError(`starting the Iguana server: it ended with ${end}`, {
        remedy: `\`iguana doctor\` checks what it needs; its log is ${serverLog(paths)}.`,
        details: { log: shown.slice(-SHOWN_LINES) },
        ...(shown.length > 0 && { cause: new Error(shown.slice(-SHOWN_LINES).join('\n  ')) }),
      });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Stops the running server in order; installs stay resumable.
 * @returns the record of the server that was stopped, undefined where none ran
 */
export async function stopServer(paths: StatePaths): Promise<ServerRecord | undefined> {
  const record = await findServer(paths);
  if (!record) return undefined;
  process.kill(record.pid, 'SIGTERM');
  while ((await processStart(record.pid)) === record.processStart) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return record;
}
