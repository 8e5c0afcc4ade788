/** The machines that have enrolled: each has one key at a time. */
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineIdentity } from './api.ts';
import { changing } from './changes.ts';
import { type GatewayPaths, machineFile } from './paths.ts';
import { readRecord, readRecords, writeRecord } from './records.ts';

/** What is kept of a machine. */
export interface MachineRecord {
  readonly machineId: string;
  readonly state: 'enrolled' | 'revoked';
  /** SHA-256 of its key; certificates for any other are refused, whoever signed them. */
  readonly keyDigest: string;
  /** SHA-256 of the token that it enrolled with first; absent where an operator let it in without. */
  readonly tokenDigest?: string;
  readonly identity: MachineIdentity;
  readonly enrolledAt: string;
  /** When the key came that it has now. */
  readonly keySince: string;
  /** How often a token alone has given it another key. */
  readonly rekeys: number;
  /** The operator who let this key in, where one did. */
  readonly approvedBy?: string;
  readonly revokedBy?: string;
  /** The boot of which its install has been told last. */
  readonly bootId?: string;
}

/** @returns undefined where the machine has never enrolled */
export const findMachine = (paths: GatewayPaths, machineId: string): Promise<MachineRecord | undefined> =>
  readRecord<MachineRecord>(paths.machines, machineFile(machineId));

/** All machines that have ever enrolled. */
export const listMachines = (paths: GatewayPaths): Promise<MachineRecord[]> =>
  readRecords<MachineRecord>(paths.machines);

/** Only while {@link changing}. */
export const writeMachine = (paths: GatewayPaths, record: MachineRecord): Promise<void> =>
  writeRecord(paths.machines, machineFile(record.machineId), record);

/**
 * Locks a machine out: its certificates are refused within a second, by every gateway, and it cannot enrol again until an
 * operator approves one of its keys.
 * @throws Error where the machine is not known
 */
export async function revokeMachine(
  paths: GatewayPaths,
  machineId: string,
  by: string,
): Promise<MachineRecord> {
  return await changing(paths, async () => {
    const machine = await findMachine(paths, machineId);
    if (!machine)
      throw new Error(`revoking machine ${machineId}: it has never enrolled; look for its id in the list`);
    const revoked: MachineRecord = { ...machine, state: 'revoked', revokedBy: by };
    await writeMachine(paths, revoked);
    return revoked;
  });
}

/** Notes that a machine is there right now. */
export async function markSeen(paths: GatewayPaths, machineId: string): Promise<void> {
  const file = join(paths.seen, machineFile(machineId));
  const now = new Date();
  try {
    await utimes(file, now, now);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    await mkdir(paths.seen, { recursive: true });
    await writeFile(file, '', { mode: 0o600 });
  }
}

/** @returns milliseconds since 1970; undefined where it was never seen */
export async function lastSeen(paths: GatewayPaths, machineId: string): Promise<number | undefined> {
  try {
    return (await stat(join(paths.seen, machineFile(machineId)))).mtimeMs;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
