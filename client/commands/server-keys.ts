/** `iguana server keys` and `iguana server codec`: what encrypts the payloads that Temporal keeps, and who else may have them decrypted. */
import { type Command, InvalidArgumentError } from 'commander';
import { CodecKeys } from '../../host/codec/keys.ts';
import { codecToken, replaceCodecToken } from '../../host/codec/token.ts';
import { findServer } from '../../host/server-record.ts';
import { statePaths } from '../../host/state.ts';
import { CommandError, usageError } from '../errors.ts';
import { formatTime } from '../output/format.ts';
import { table } from '../output/table.ts';
import { action, type Call, define, group } from './define.ts';

const MINUTE_MS = 60_000;

/** Adds the commands. */
export function registerServerKeys(server: Command): void {
  const keys = group(server, 'keys', 'the keys by which payloads are encrypted in Temporal’s database');
  define(keys, { usage: 'ls', summary: 'list their names, and which one is in use' }).action(action(list));
  define(keys, {
    usage: 'rotate',
    summary: 'make another key for new payloads; old ones stay readable',
    description:
      'With workers on several hosts, all of them need the file before the key is used: give it some minutes, and copy\n' +
      'codec/keys.json of the state folder to them.',
    examples: [
      ['server keys rotate', 'running workers use it within a second'],
      ['server keys rotate --in 30', 'in half an hour: time to copy the file to other hosts'],
    ],
  })
    .option('--in <minutes>', 'when new payloads begin to use it', minutes, 0)
    .action(action(rotate));
  define(keys, {
    usage: 'rm <key>',
    summary: 'forget a key: what was encrypted with it is lost for ever',
    description: 'Histories that need the key cannot be read any more, and installs that run cannot go on.',
  })
    .option('--yes', 'it is meant')
    .action(action(remove));
  define(server, {
    usage: 'codec',
    summary: 'address and token of the endpoint by which Temporal’s Web UI and CLI read payloads',
    description:
      'In the Web UI: “Configure Codec Server”, “Use my browser setting”, and the address with the token as endpoint. For Temporal’s CLI set\n' +
      'TEMPORAL_CODEC_ENDPOINT to the address and TEMPORAL_CODEC_AUTH to “Bearer TOKEN”. Who has the token can read every payload.',
  })
    .option('--new-token', 'make another token first; the one before opens nothing any more')
    .action(action(codec));
}

async function list({ output }: Call<object>): Promise<undefined> {
  const keys = await new CodecKeys(statePaths()).list();
  output.result(keys, () =>
    keys.length > 0
      ? table(
          ['key', 'from', ''],
          keys.map(({ id, usedFrom, inUse }) => [id, formatTime(usedFrom), inUse ? 'in use' : '']),
        )
      : 'no keys: the first one is made when the server starts',
  );
}

async function rotate({ output, options }: Call<{ in: number }>): Promise<undefined> {
  const made = await new CodecKeys(statePaths()).add(new Date(Date.now() + options.in * MINUTE_MS));
  output.result(made, () =>
    made.inUse
      ? `new payloads use ${made.id}`
      : `new payloads use ${made.id} from ${formatTime(made.usedFrom)}`,
  );
}

async function remove({ output, options }: Call<{ yes?: true }>, id: string): Promise<undefined> {
  if (!options.yes) {
    throw usageError(`forgetting key ${id}: what was encrypted with it can never be read again`, {
      remedy: 'Say --yes if it is meant.',
    });
  }
  try {
    await new CodecKeys(statePaths()).remove(id);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CommandError(`forgetting key ${id}: ${cause.message}`, {
      remedy: '`iguana server keys ls` lists them; `iguana server keys rotate` makes another one to be used.',
      cause,
    });
  }
  output.result({ removed: id }, () => `forgot ${id}`);
}

async function codec({ output, options }: Call<{ newToken?: true }>): Promise<undefined> {
  const paths = statePaths();
  const token = await (options.newToken ? replaceCodecToken(paths) : codecToken(paths));
  const address = (await findServer(paths))?.codecAddress;
  output.result({ ...(address && { address, uiEndpoint: `${address}/${token}` }), token }, () =>
    table(
      [],
      [
        ['address', address ?? 'no server runs'],
        ['token', token],
        ...(address ? [['for the Web UI', `${address}/${token}`]] : []),
      ],
    ),
  );
}

function minutes(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('It has to be a whole number of minutes.');
  return value;
}
