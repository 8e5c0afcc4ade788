/** The keys that wait for an operator. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineIdentity, WaitReason } from './api.ts';
import { changing } from './changes.ts';
import { findMachine, type MachineRecord, writeMachine } from './machines.ts';
import { type GatewayPaths, machineFile } from './paths.ts';
import { readRecord, readRecords, recordNames, removeRecord, writeRecord } from './records.ts';

/** A key that asks to be a machine's. */
export interface PendingKey {
  readonly machineId: string;
  readonly keyDigest: string;
  readonly reason: WaitReason;
  readonly identity: MachineIdentity;
  readonly tokenDigest?: string;
  /** Where it asked from. */
  readonly address: string;
  readonly since: string;
  readonly lastAsked: string;
}

/** Strangers must not fill the disk. */
const MAX_PENDING = 1_000;
/** Who has not asked for so long is gone. */
const FORGOTTEN_MS = 24 * 3_600_000;
/** Asking again is written down at most this often. */
const FRESH_MS = 60_000;

const fileOf = ({ machineId, keyDigest }: Pick<PendingKey, 'machineId' | 'keyDigest'>): string =>
  machineFile(`${machineId} ${keyDigest}`);

/** All keys that wait and have asked within a day. */
export async function listPending(paths: GatewayPaths): Promise<PendingKey[]> {
  const all = await readRecords<PendingKey>(paths.pending);
  return all.filter(({ lastAsked }) => Date.now() - Date.parse(lastAsked) < FORGOTTEN_MS);
}

/**
 * Puts a key into the list, or notes that it has asked again. Only while {@link changing}.
 * @returns false where the list is full
 */
export async function addPending(paths: GatewayPaths, key: PendingKey): Promise<boolean> {
  const known = await readRecord<PendingKey>(paths.pending, fileOf(key));
  if (known && known.reason === key.reason && Date.now() - Date.parse(known.lastAsked) < FRESH_MS)
    return true;
  if (!known && (await recordNames(paths.pending)).length >= MAX_PENDING) {
    await removeForgotten(paths);
    if ((await recordNames(paths.pending)).length >= MAX_PENDING) return false;
  }
  await writeRecord(paths.pending, fileOf(key), { ...key, since: known?.since ?? key.since });
  return true;
}

/** Takes a key from the list, if it is there. Only while {@link changing}. */
export const removePending = (
  paths: GatewayPaths,
  key: Pick<PendingKey, 'machineId' | 'keyDigest'>,
): Promise<void> => removeRecord(paths.pending, fileOf(key));

async function removeForgotten(paths: GatewayPaths): Promise<void> {
  for (const name of await recordNames(paths.pending)) {
    const { mtimeMs } = await stat(join(paths.pending, name));
    if (Date.now() - mtimeMs > FORGOTTEN_MS) await removeRecord(paths.pending, name);
  }
}

/** What an operator says yes to. */
export interface Approval {
  readonly machineId: string;
  /** Digest of the key, or its beginning; may be absent where only one key waits for this machine. */
  readonly keyDigest?: string;
  readonly by: string;
}

/**
 * Gives a machine the key that waits for it. Whatever key it had is refused from now on.
 * @throws Error where no such key waits, or several do
 */
export async function approveKey(paths: GatewayPaths, approval: Approval): Promise<MachineRecord> {
  const { machineId, keyDigest = '', by } = approval;
  return await changing(paths, async () => {
    const waiting = (await listPending(paths)).filter(
      (key) => key.machineId === machineId && key.keyDigest.startsWith(keyDigest),
    );
    const [key] = waiting;
    if (!key || waiting.length > 1) {
      const why = key
        ? `${waiting.length} keys wait, and one of them may be somebody else's; say which, by its digest: ${waiting.map((it) => it.keyDigest.slice(0, 16)).join(', ')}`
        : 'no such key waits; it may have given up asking';
      throw new Error(`approving machine ${machineId}: ${why}`);
    }
    const before = await findMachine(paths, machineId);
    const now = new Date().toISOString();
    const record: MachineRecord = {
      machineId,
      state: 'enrolled',
      keyDigest: key.keyDigest,
      // The operator has looked: what it came with now is what it may come back with.
      ...(key.tokenDigest && { tokenDigest: key.tokenDigest }),
      identity: key.identity,
      enrolledAt: before?.enrolledAt ?? now,
      keySince: now,
      rekeys: 0,
      approvedBy: by,
    };
    await writeMachine(paths, record);
    await removePending(paths, key);
    return record;
  });
}
