/** `iguana machine`: which machines may come to the gateway of this host. */
import type { Command } from 'commander';
import { findMachine, lastSeen, listMachines, revokeMachine } from '../../host/enrolment/machines.ts';
import { gatewayPaths } from '../../host/enrolment/paths.ts';
import { approveKey, listPending, rejectKeys } from '../../host/enrolment/pending.ts';
import { statePaths } from '../../host/state.ts';
import { usageError } from '../errors.ts';
import { formatBetween } from '../output/format.ts';
import { table } from '../output/table.ts';
import { person } from '../person.ts';
import { action, type Call, define, group } from './define.ts';
import { registerMachineToken } from './machine-token.ts';

/** So much of a key's digest tells it from all others. */
const SHOWN_DIGITS = 16;

/** Adds the commands. */
export function registerMachine(program: Command): void {
  const machine = group(program, 'machine', 'say which machines may enrol, and see those that did');
  registerMachineToken(machine);
  define(machine, {
    usage: 'ls',
    summary: 'list the machines that have enrolled, and those that wait',
  }).action(action(listAll));
  define(machine, {
    usage: 'approve <machine>',
    summary: 'let a waiting machine in',
    description:
      'The machine gets the key that waits for it; whatever key it had before is refused from now on. Compare the digest of the key with ' +
      'what the machine shows on its console: everything else can be said by any machine.',
    examples: [
      ['machine approve 4c4c4544-0042-3510-8054-b9c04f4e3732', 'where one key waits'],
      ['machine approve 4c4c4544-0042-3510-8054-b9c04f4e3732 --key 3fa9c1', 'where several do'],
    ],
  })
    .option('--key <digest>', 'digest of the key, or its beginning')
    .action(action(approve));
  define(machine, {
    usage: 'reject [machine]',
    summary: 'take a waiting machine from the list',
    description:
      'It is not let in, and not locked out: a machine that goes on asking is in the list again with its next request. Whoever comes without a token has ' +
      'a part of the list for all that comes from the same address.',
    examples: [
      ['machine reject 4c4c4544-0042-3510-8054-b9c04f4e3732', 'all keys that wait to be this machine’s'],
      ['machine reject 4c4c4544-0042-3510-8054-b9c04f4e3732 --key 3fa9c1', 'one of them'],
      ['machine reject --from 10.0.0.66', 'everything that has asked from there'],
    ],
  })
    .option('--key <digest>', 'digest of the key, or its beginning')
    .option('--from <address>', 'only what has asked from this address')
    .action(action(reject));
  define(machine, {
    usage: 'revoke <machine>',
    summary: 'lock a machine out, until one of its keys is approved',
  }).action(
    action(async ({ output }, machineId: string) => {
      const record = await revokeMachine(gatewayPaths(statePaths()), machineId, person());
      output.result(record, () => `${machineId} is locked out`);
      return undefined;
    }),
  );
}

async function listAll({ output }: Call<object>): Promise<undefined> {
  const paths = gatewayPaths(statePaths());
  const waiting = await listPending(paths);
  const enrolled = await Promise.all(
    (await listMachines(paths)).map(async (machine) => {
      const seen = await lastSeen(paths, machine.machineId);
      return { ...machine, ...(seen !== undefined && { lastSeen: new Date(seen).toISOString() }) };
    }),
  );
  output.result({ enrolled, waiting }, () => {
    const rows = [
      ...waiting.map((key) => [
        key.machineId,
        `waits: ${key.reason}`,
        key.keyDigest.slice(0, SHOWN_DIGITS),
        `${formatBetween(key.lastAsked)} ago`,
        [key.address, ...Object.values(key.identity.facts ?? {})].join(', '),
      ]),
      ...enrolled.map((machine) => [
        machine.machineId,
        machine.state,
        machine.keyDigest.slice(0, SHOWN_DIGITS),
        machine.lastSeen ? `${formatBetween(machine.lastSeen)} ago` : 'never',
        Object.values(machine.identity.facts ?? {}).join(', '),
      ]),
    ];
    return rows.length > 0 ? table(['machine', 'state', 'key', 'seen', 'what it says'], rows) : 'no machines';
  });
}

async function approve({ output, options }: Call<{ key?: string }>, machineId: string): Promise<undefined> {
  const paths = gatewayPaths(statePaths());
  const before = await findMachine(paths, machineId);
  const { key: keyDigest } = options;
  const record = await approveKey(paths, { machineId, ...(keyDigest && { keyDigest }), by: person() });
  output.result(record, () =>
    before
      ? `${machineId} has another key now: ${record.keyDigest.slice(0, SHOWN_DIGITS)}`
      : `${machineId} is let in`,
  );
}

async function reject(
  { output, options }: Call<{ key?: string; from?: string }>,
  machineId: string | undefined,
): Promise<undefined> {
  const { key: keyDigest, from: address } = options;
  if (machineId === undefined && address === undefined)
    throw usageError('rejecting: neither a machine nor --from says whom', {
      remedy: '`iguana machine ls` shows those that wait.',
    });
  const rejected = await rejectKeys(gatewayPaths(statePaths()), {
    ...(machineId !== undefined && { machineId }),
    ...(keyDigest !== undefined && { keyDigest }),
    ...(address !== undefined && { address }),
  });
  output.result(rejected, () =>
    table(
      ['no longer in the list', 'key', 'asked from'],
      rejected.map((key) => [key.machineId, key.keyDigest.slice(0, SHOWN_DIGITS), key.address]),
    ),
  );
}
