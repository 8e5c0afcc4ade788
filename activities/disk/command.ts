/** Running the tools of the operating system, and turning their failures into those of the catalogue. */
import { Context } from '@temporalio/activity';
import { execa } from 'execa';
import { type FailureType, failure } from '../failures.ts';

/** How much of a tool's words a failure keeps, from the end: enough for the reason, small enough for the history. */
const KEPT_CHARACTERS = 2_000;
/** More output than any tool here has reason to make; a tool that makes more is stopped. */
const MAX_OUTPUT_BYTES = 16 * 2 ** 20;
/** After a polite SIGTERM; a tool that waits for a broken disk never answers it. */
const KILL_AFTER_MS = 5_000;
/** Exit status of setpriv(1) when it cannot execute the tool: no such file. */
const NOT_FOUND_STATUS = 127;

/** What is run, and how its end is judged. */
export interface ToolOptions {
  /** What is being done, as a gerund: `growing the filesystem on root of file:/srv/a.img`. */
  readonly doing: string;
  /** Exit statuses that are answers and no failures; default only 0. */
  readonly accept?: readonly number[];
  /** Failure of any other exit status; default `CommandFailed`, which is tried again. */
  readonly failAs?: FailureType;
  /** Environment besides that of the agent. */
  readonly env?: Readonly<Record<string, string>>;
  /** Set for cleaning up: the tool runs to its end although the activity was cancelled. */
  readonly evenWhenCancelled?: boolean;
}

/** What a tool said. */
export interface ToolResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Failures of the disk itself, by what the C library calls them; they outrank {@link ToolOptions.failAs}. */
const DISK_FAILURES: readonly (readonly [RegExp, FailureType])[] = [
  [/No such device/, 'DiskVanished'],
  [/Input\/output error|No space left on device|Remote I\/O error/, 'DiskWriteFailed'],
];

/**
 * Runs a tool in the C locale and waits for it. A killed agent takes its tools with it (PR_SET_PDEATHSIG), so that
 * the next attempt finds nobody else writing.
 * @param tool name, found in PATH
 * @param args never a secret: everybody can read them in /proc
 * @throws failure `ToolMissing`; `DiskVanished` and `DiskWriteFailed` where the tool's words say so; else
 *   {@link ToolOptions.failAs} with the tool's last words
 * @throws the cancellation of the activity
 */
export async function runTool(
  tool: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<ToolResult> {
  const signal = options.evenWhenCancelled ? undefined : Context.current().cancellationSignal;
  signal?.throwIfAborted();
  const result = await execa('setpriv', ['--pdeathsig', 'KILL', '--', tool, ...args], {
    reject: false,
    stdin: 'ignore',
    env: { ...options.env, LC_ALL: 'C', TZ: 'UTC' },
    maxBuffer: MAX_OUTPUT_BYTES,
    forceKillAfterDelay: KILL_AFTER_MS,
    ...(signal && { cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  const { exitCode: status, stdout, stderr } = result;
  if (status !== undefined && [0, ...(options.accept ?? [])].includes(status))
    return { status, stdout, stderr };
  const words = lastWords(stderr || stdout || result.shortMessage || '');
  if (status === NOT_FOUND_STATUS || (result.failed && result.code === 'ENOENT'))
    throw failure('ToolMissing', `${options.doing}: ${tool} is not installed`, { context: { tool } });
  const type =
    DISK_FAILURES.find(([pattern]) => pattern.test(words))?.[1] ?? options.failAs ?? 'CommandFailed';
  const ending =
    status === undefined ? `was ended by ${result.signal ?? 'its output'}` : `failed (${status})`;
  throw failure(type, `${options.doing}: ${tool} ${ending}: ${words}`, { context: { tool, words } });
}

/** The end of a tool's output, on a line boundary. */
function lastWords(output: string): string {
  const text = output.trim();
  if (text.length <= KEPT_CHARACTERS) return text;
  const tail = text.slice(-KEPT_CHARACTERS);
  return `…${tail.slice(tail.indexOf('\n') + 1)}`;
}
