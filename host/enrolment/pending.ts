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
/** … nor the list: so many keys without a token may wait of one address. Machines behind a NAT share one. */
const MAX_STRANGERS = 50;
/** Who has not asked for so long is gone. */
const FORGOTTEN_MS = 24 * 3_600_000;
/** Asking again is written down at most this often. */
const FRESH_MS = 60_000;

type KeyName = Pick<PendingKey, 'machineId' | 'keyDigest'>;
type Asking = Pick<PendingKey, 'machineId' | 'keyDigest' | 'reason' | 'address'>;

/** Why a key cannot be put into the list. */
export type NoPlace = 'list-full' | 'share-full';

const isStranger = ({ reason }: Pick<PendingKey, 'reason'>): boolean => reason === 'no-token';

/** The name of a stranger ends with its address, so that those of one address are counted without reading them. */
const fileOf = (key: Asking): string =>
  machineFile([key.machineId, key.keyDigest, ...(isStranger(key) ? [key.address] : [])].join(' '));

async function findFile(paths: GatewayPaths, { machineId, keyDigest }: KeyName): Promise<string | undefined> {
  const name = encodeURIComponent(`${machineId} ${keyDigest}`);
  const names = await recordNames(paths.pending);
  return names.find((it) => it === `${name}.json` || it.startsWith(`${name}%20`));
}

/** All keys that wait and have asked within a day. */
export async function listPending(paths: GatewayPaths): Promise<PendingKey[]> {
  const all = await readRecords<PendingKey>(paths.pending);
  return all.filter(({ lastAsked }) => Date.now() - Date.parse(lastAsked) < FORGOTTEN_MS);
}

/** @returns why a key cannot be put into the list; undefined where it can, or is there */
export async function whyNoPlace(paths: GatewayPaths, key: Asking): Promise<NoPlace | undefined> {
  if ((await findFile(paths, key)) !== undefined) return undefined;
  const names = await recordNames(paths.pending);
  if (isStranger(key)) {
    const end = `%20${machineFile(key.address)}`;
    const own = names.filter((name) => name.endsWith(end));
    if (own.length >= MAX_STRANGERS && (await asking(paths, own)).length >= MAX_STRANGERS)
      return 'share-full';
  }
  const isFull = names.length >= MAX_PENDING && (await asking(paths, names)).length >= MAX_PENDING;
  return isFull ? 'list-full' : undefined;
}

/**
 * Puts a key into the list, or notes that it has asked again. Only while {@link changing}.
 * @returns why not; undefined where it is there now
 */
export async function addPending(paths: GatewayPaths, key: PendingKey): Promise<NoPlace | undefined> {
  const file = await findFile(paths, key);
  const known = file === undefined ? undefined : await readRecord<PendingKey>(paths.pending, file);
  if (known && known.reason === key.reason && Date.now() - Date.parse(known.lastAsked) < FRESH_MS)
    return undefined;
  const noPlace = await whyNoPlace(paths, key);
  if (noPlace) return noPlace;
  if (file === undefined) await removeForgotten(paths);
  // A stranger that moves stays in the share of its first address: otherwise two addresses would have any number of places.
  const name = known && isStranger(known) && isStranger(key) ? file : undefined;
  const next = name ?? fileOf(key);
  await writeRecord(paths.pending, next, { ...key, since: known?.since ?? key.since });
  if (file !== undefined && file !== next) await removeRecord(paths.pending, file);
  return undefined;
}

/** Takes a key from the list, if it is there. Only while {@link changing}. */
export async function removePending(paths: GatewayPaths, key: KeyName): Promise<void> {
  const file = await findFile(paths, key);
  if (file !== undefined) await removeRecord(paths.pending, file);
}

/** Those of some files whose machines have asked within a day. */
async function asking(paths: GatewayPaths, names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) {
    const known = await stat(join(paths.pending, name)).catch((error: NodeJS.ErrnoException) => {
      // Removed since the folder was read.
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (known && Date.now() - known.mtimeMs <= FORGOTTEN_MS) found.push(name);
  }
  return found;
}

/** Only where the list is long: who looks at it does not see them. */
async function removeForgotten(paths: GatewayPaths): Promise<void> {
  const names = await recordNames(paths.pending);
  if (names.length < MAX_PENDING) return;
  const stay = new Set(await asking(paths, names));
  for (const name of names.filter((it) => !stay.has(it))) await removeRecord(paths.pending, name);
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

/** Which keys an operator says no to; what is absent is any. */
export interface Rejection {
  readonly machineId?: string;
  /** Digest of the key, or its beginning. */
  readonly keyDigest?: string;
  /** Where they have asked from last. */
  readonly address?: string;
}

/**
 * Takes keys from the list. Nobody is locked out: who asks again is in it again.
 * @returns those that were in it
 * @throws Error where none was
 */
export async function rejectKeys(paths: GatewayPaths, rejection: Rejection): Promise<PendingKey[]> {
  const { machineId, keyDigest = '', address } = rejection;
  return await changing(paths, async () => {
    const rejected = (await listPending(paths)).filter(
      (key) =>
        (machineId === undefined || key.machineId === machineId) &&
        (address === undefined || key.address === address) &&
        key.keyDigest.startsWith(keyDigest),
    );
    if (rejected.length === 0) {
      const whose = machineId === undefined ? `machines of ${address}` : `machine ${machineId}`;
      throw new Error(`rejecting ${whose}: no such key waits; look for it in the list`);
    }
    for (const key of rejected) await removePending(paths, key);
    return rejected;
  });
}
