/** The record of the running embedded server: how clients find it, and how a second start finds the first. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readJsonFile } from './json-file.ts';
import type { StatePaths } from './state.ts';

/** What `iguana server` writes once everything it starts is ready. */
export interface ServerRecord {
  readonly pid: number;
  /** Start time of the process in clock ticks since boot (proc_pid_stat(5), field 22): pids are used again. */
  readonly processStart: string;
  /** host:port of Temporal's gRPC, on loopback. */
  readonly temporalAddress: string;
  readonly namespace: string;
  /** Address of Temporal's Web UI. */
  readonly uiAddress: string;
  /** Address of the endpoint that decrypts payloads; absent in records of versions that had none. */
  readonly codecAddress?: string;
  /** Base address of the first-boot endpoint as this host sees it. */
  readonly reportAddress: string;
  /** Address of the machines' endpoint as this host sees it; absent in records of versions that had none. */
  readonly gatewayAddress?: string;
  readonly startedAt: string;
}

/** @returns where the record is kept */
export const serverRecordPath = (paths: StatePaths): string => join(paths.run, 'server.json');

/**
 * The start time of a process.
 * @returns undefined where there is no such process, or it has ended
 */
export async function processStart(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command name, field 2, may hold spaces and parentheses: count from its last parenthesis.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; where process 1 is no init, nobody takes it away.
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}

/**
 * The running server.
 * @returns undefined where none runs, also where a killed one left its record
 */
export async function findServer(paths: StatePaths): Promise<ServerRecord | undefined> {
  const record = await readJsonFile<ServerRecord>(serverRecordPath(paths));
  if (!record) return undefined;
  return (await processStart(record.pid)) === record.processStart ? record : undefined;
}
