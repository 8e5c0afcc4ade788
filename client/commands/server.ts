/** `iguana server`: Temporal, the workers and the first-boot endpoint on this host. */
import type { Command } from 'commander';
import { findServer, type ServerRecord } from '../../host/server-record.ts';
import { statePaths } from '../../host/state.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { runInForeground } from '../foreground.ts';
import { formatBetween } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { ensureServer, SERVER_PROGRAM, serverLog, stopServer } from '../server/start.ts';
import { action, define } from './define.ts';
import { registerServerKeys } from './server-keys.ts';

/** Adds the commands. */
export function registerServer(program: Command): void {
  const server = define(program, {
    usage: 'server',
    summary: 'run the server on this host, in the foreground',
    description:
      'Temporal on loopback with its database in the state folder, the workers, and the endpoint for first-boot reports;\n' +
      'with IGUANA_BOOT_FOLDER also boot scripts and files for machines (docs/boot.md).\n' +
      'Stopping it leaves every install resumable.',
    examples: [
      ['server', 'until Ctrl-C; logs JSON lines'],
      ['server --detach', 'in the background; prints the address of Temporal’s Web UI'],
      ['server stop', 'in order; installs go on when it runs again'],
    ],
  })
    .option('--detach', 'run it in the background')
    .action(action(run));
  define(server, { usage: 'start', summary: 'run it in the background, wait until it is ready' }).action(
    action(({ output }) => start(output)),
  );
  define(server, { usage: 'stop', summary: 'stop it; every install stays resumable' }).action(
    action(({ output }) => stop(output)),
  );
  define(server, { usage: 'status', summary: 'where it is; exit status 1 where it does not run' }).action(
    action(({ output }) => status(output)),
  );
  registerServerKeys(server);
}

async function run({ output, options }: { output: Output; options: { detach?: boolean } }): Promise<number> {
  if (options.detach) return start(output);
  const running = await findServer(statePaths());
  if (running) {
    output.result(running, () => `already running\n${recordText(running)}`);
    return EXIT.ok;
  }
  return runInForeground(SERVER_PROGRAM);
}

async function start(output: Output): Promise<ExitCode> {
  const record = await ensureServer(statePaths(), (line) => output.note(line));
  output.result(record, () => recordText(record));
  return EXIT.ok;
}

async function stop(output: Output): Promise<ExitCode> {
  const record = await stopServer(statePaths());
  output.result({ stopped: record !== undefined }, () => (record ? 'stopped' : 'no server runs'));
  return EXIT.ok;
}

async function status(output: Output): Promise<ExitCode> {
  const record = await findServer(statePaths());
  output.result(record ?? { running: false }, () => (record ? recordText(record) : 'no server runs'));
  return record ? EXIT.ok : EXIT.failure;
}

function recordText(record: ServerRecord): string {
  return [
    `server       process ${record.pid}, for ${formatBetween(record.startedAt)}`,
    `Temporal     ${record.temporalAddress}, namespace ${record.namespace}`,
    `Web UI       ${record.uiAddress}`,
    `codec        ${record.codecAddress ?? 'none'}`,
    `machines     ${record.gatewayAddress ?? 'none'}`,
    `first boots  ${record.reportAddress}`,
    `log          ${serverLog(statePaths())}`,
  ].join('\n');
}
