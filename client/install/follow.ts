/** Watches an install on behalf of a command until it ends, needs somebody, or Ctrl-C; says how to come back. */
import type { Client } from '@temporalio/client';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { counted, formatBetween } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { attentionText, InstallView } from './view.ts';
import { type Snapshot, watchInstall } from './watch.ts';

/** How to follow. */
export interface FollowOptions {
  readonly runId?: string;
  /**
   * Called once for each plan that waits for approval.
   * @returns false where nobody could be asked
   */
  readonly askApproval?: (snapshot: Snapshot) => Promise<boolean>;
}

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
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  let last: Snapshot | undefined;
  let asked: string | undefined;
  try {
    const events = watchInstall(connect, machineId, {
      signal: stop.signal,
      ...(options.runId && { runId: options.runId }),
    });
    for await (const event of events) {
      output.json(event);
      if (output.format === 'text') view.show(event);
      if (event.kind !== 'snapshot') continue;
      last = event.snapshot;
      const { status } = last;
      if (status.attention && last.execution === 'RUNNING') break;
      const plan = JSON.stringify(status.destroyed);
      if (!status.awaitsApproval || asked === plan) continue;
      asked = plan;
      view.pause();
      if (!(await options.askApproval?.(last))) break;
    }
  } finally {
    view.pause();
    process.removeListener('SIGINT', interrupt);
  }
  if (stop.signal.aborted) return interrupted(output, machineId, last);
  return last ? ended(output, last) : { exitCode: EXIT.failure };
}

function interrupted(output: Output, machineId: string, snapshot: Snapshot | undefined): Followed {
  output.note(
    `\nThe install of ${machineId} goes on. Come back with: iguana watch ${machineId}\n` +
      `Stop it with: iguana abort ${machineId} · after a restart of this host: iguana resume ${machineId}`,
  );
  return { exitCode: EXIT.interrupted, ...(snapshot && { snapshot }) };
}

function ended(output: Output, snapshot: Snapshot): Followed {
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
  const outcome = status.outcome ?? snapshot.execution.toLowerCase();
  output.line(
    `${output.tone(succeeded ? 'good' : 'bad', outcome)} after ${formatBetween(startedAt, endedAt)}` +
      ` · iguana history ${machineId}`,
  );
  return { exitCode: succeeded ? EXIT.ok : EXIT.failure, snapshot };
}
