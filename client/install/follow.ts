/** Watches an install on behalf of a command until it ends, needs somebody, or Ctrl-C; says how to come back. */
import type { Client } from '@temporalio/client';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { counted, formatBetween } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { ServerNews } from '../server/news.ts';
import { attentionText, InstallView } from './view.ts';
import { pause, type Snapshot, watchInstall } from './watch.ts';

/** How to follow. */
export interface FollowOptions {
  readonly runId?: string;
  /**
   * Called once for each plan that waits for approval.
   * @param signal Ctrl-C
   * @returns false where nobody could be asked
   */
  readonly askApproval?: (snapshot: Snapshot, signal: AbortSignal) => Promise<boolean>;
  /** Told whatever is seen; what it answers is printed. */
  readonly onSnapshot?: (snapshot: Snapshot) => Promise<string | undefined>;
  /** What the server of this host warns of meanwhile. */
  readonly news?: ServerNews | undefined;
}

/** How often the moving line is drawn and the server's log is looked at. */
const TICK_MS = 1_000;
/** End the following; a second one ends the process at once. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** How following ended. */
export interface Followed {
  readonly exitCode: ExitCode;
  /** The last that was seen; undefined where Ctrl-C came first. */
  readonly snapshot?: Snapshot;
}

/**
 * Follows an install.
 * @param connect the connection to use now; called again when the server was away
 */
export async function followInstall(
  output: Output,
  connect: () => Promise<Client>,
  machineId: string,
  options: FollowOptions = {},
): Promise<Followed> {
  const view = new InstallView(output);
  const interrupted = new AbortController();
  const ended = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of SIGNALS) process.once(signal, interrupt);
  const ticking = tick(output, view, options.news, ended.signal);
  let last: Snapshot | undefined;
  try {
    const watchOptions = { signal: interrupted.signal, ...(options.runId && { runId: options.runId }) };
    let asked: string | undefined;
    for await (const event of watchInstall(connect, machineId, watchOptions)) {
      output.json(event);
      if (output.format === 'text') view.show(event);
      if (event.kind !== 'snapshot') continue;
      last = event.snapshot;
      const { status } = last;
      const said = await options.onSnapshot?.(last);
      if (said !== undefined) {
        view.pause();
        output.note(said);
      }
      if (status.attention && last.execution === 'RUNNING') break;
      const plan = JSON.stringify(status.destroyed);
      if (!status.awaitsApproval || asked === plan) continue;
      asked = plan;
      view.pause();
      if (!(await options.askApproval?.(last, interrupted.signal))) break;
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    ended.abort();
    await ticking;
    view.pause();
    for (const signal of SIGNALS) process.removeListener(signal, interrupt);
  }
  if (interrupted.signal.aborted) return comeBack(output, machineId, last);
  return last ? outcome(output, last) : { exitCode: EXIT.failure };
}

/** Keeps the moving line moving, and passes on what the server warns of. */
async function tick(
  output: Output,
  view: InstallView,
  news: ServerNews | undefined,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    for (const warning of (await news?.warnings()) ?? []) {
      view.pause();
      output.note(`the server: ${warning}`);
    }
    view.tick();
    await pause(TICK_MS, signal);
  }
}

function comeBack(output: Output, machineId: string, snapshot: Snapshot | undefined): Followed {
  output.note(
    `\nThe install of ${machineId} goes on. Come back with: iguana watch ${machineId}\n` +
      `Stop it with: iguana abort ${machineId} · after a restart of this host: iguana resume ${machineId}`,
  );
  return { exitCode: EXIT.interrupted, ...(snapshot && { snapshot }) };
}

function outcome(output: Output, snapshot: Snapshot): Followed {
  const { status, machineId, startedAt, endedAt } = snapshot;
  if (snapshot.execution === 'RUNNING' && status.attention) {
    output.line(attentionText(output, machineId, status.attention));
    return { exitCode: EXIT.attention, snapshot };
  }
  if (snapshot.execution === 'RUNNING') {
    output.line(
      `${output.tone('warn', 'waits for approval')}: ${counted(status.destroyed.length, 'thing')} would be ` +
        `destroyed. \`iguana status ${machineId}\` lists them, \`iguana approve ${machineId}\` lets it go on.`,
    );
    return { exitCode: EXIT.approval, snapshot };
  }
  const succeeded = status.outcome === 'succeeded';
  const how = status.outcome ?? snapshot.execution.toLowerCase();
  output.line(
    `${output.tone(succeeded ? 'good' : 'bad', how)} after ${formatBetween(startedAt, endedAt)}` +
      ` · iguana history ${machineId}`,
  );
  return { exitCode: succeeded ? EXIT.ok : EXIT.failure, snapshot };
}
