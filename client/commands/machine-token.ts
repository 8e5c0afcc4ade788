/** `iguana machine token`: what machines enrol with. */
import { type Command, InvalidArgumentError } from 'commander';
import { authorityDigest } from '../../host/enrolment/authority-digest.ts';
import { gatewayPaths } from '../../host/enrolment/paths.ts';
import { createToken, listTokens, revokeToken, type TokenRecord } from '../../host/enrolment/tokens.ts';
import { statePaths } from '../../host/state.ts';
import { CommandError } from '../errors.ts';
import { formatTime } from '../output/format.ts';
import { table } from '../output/table.ts';
import { action, type Call, define, group } from './define.ts';

const HOUR_MS = 3_600_000;

interface CreateOptions {
  readonly name: string;
  readonly uses: number;
  readonly hours: number;
  readonly machine?: string;
  readonly needsApproval?: true;
  readonly trustsMembers?: true;
}

/** Adds the commands. */
export function registerMachineToken(machine: Command): void {
  const token = group(machine, 'token', 'make and revoke what machines enrol with');
  define(token, {
    usage: 'create',
    summary: 'make a token; it is shown once',
    description:
      'A token for one machine is that machine’s own: with it, the machine is let in again after a reboot. With a token for several, a machine that ' +
      'comes back with another key waits for `iguana machine approve`, unless its members are trusted.',
    examples: [
      ['machine token create', 'for one machine, for a day'],
      ['machine token create --name rack7 --uses 40 --trusts-members', 'for a rack that nobody else is in'],
    ],
  })
    .option('--name <name>', 'for people', 'token')
    .option('--uses <count>', 'how many machines may enrol with it', wholeNumber, 1)
    .option('--hours <count>', 'how long', wholeNumber, 24)
    .option('--machine <id>', 'the only machine that may use it')
    .option('--needs-approval', 'every machine waits for `iguana machine approve`')
    .option('--trusts-members', 'machines of the batch are believed who they are when they come back')
    .action(action(create));
  define(token, { usage: 'ls', summary: 'list the tokens, without the secret itself' }).action(action(list));
  define(token, {
    usage: 'revoke <token>',
    summary: 'let nobody in with it any more; machines that are in stay in',
  }).action(
    action(async ({ output }, which: string) => {
      const revoked = await revokeToken(gatewayPaths(statePaths()), which);
      output.result(revoked, () => `revoked ${revoked.name}`);
      return undefined;
    }),
  );
}

async function create({ output, options }: Call<CreateOptions>): Promise<undefined> {
  const paths = gatewayPaths(statePaths());
  const caDigest = await authorityDigest(paths);
  if (!caDigest) {
    throw new CommandError('making a token: no gateway has run on this host yet', {
      remedy: '`iguana server start` starts one, which makes the keys that machines know it by.',
    });
  }
  const { name, uses, hours, machine, needsApproval, trustsMembers } = options;
  const { token, record } = await createToken(paths, {
    name,
    uses,
    lifetimeMs: hours * HOUR_MS,
    ...(machine && { machineId: machine }),
    ...(needsApproval && { needsApproval }),
    ...(trustsMembers && { trustsMembers }),
  });
  output.result({ token, caDigest, ...record }, () =>
    table(
      [],
      [
        ['token', token],
        ['gateway', caDigest],
        ['until', formatTime(record.expiresAt)],
      ],
    ),
  );
}

async function list({ output }: Call<object>): Promise<undefined> {
  const tokens = await listTokens(gatewayPaths(statePaths()));
  output.result(tokens, () => {
    const rows = tokens.map((token) => [
      token.name,
      token.digest.slice(0, 12),
      `${token.usedBy.length} of ${token.uses}`,
      stateOf(token),
    ]);
    return rows.length > 0 ? table(['name', 'digest', 'used', 'state'], rows) : 'no tokens';
  });
}

function stateOf({ revokedAt, expiresAt }: TokenRecord): string {
  if (revokedAt) return `revoked ${formatTime(revokedAt)}`;
  return Date.parse(expiresAt) > Date.now() ? `until ${formatTime(expiresAt)}` : 'expired';
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It has to be a whole number from 1.');
  return value;
}
