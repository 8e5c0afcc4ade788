/** Running a container to its end. */
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import type { Container, ContainerCreateOptions } from 'dockerode';
import type { Engine } from './connect.ts';
import { EngineFailed } from './errors.ts';
import { lineStream } from './lines.ts';

/** A container to be run. */
export interface ContainerRun {
  /** Image as the engine knows it, e.g. what `ensureBuilderImage` answers. */
  readonly image: string;
  /** Name of the container: one at a time. What an earlier, killed caller left under it is removed first. */
  readonly name: string;
  readonly command: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** `/host/path:/container/path[:ro|rshared|…]`. */
  readonly binds?: readonly string[];
  /** Never secrets: `inspect` shows it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default false. */
  readonly privileged?: boolean;
  /** `host`, `none` or a network; default: the engine's. */
  readonly networkMode?: string;
  /** `host`, or none for its own. */
  readonly pidMode?: string;
  readonly workingDirectory?: string;
  /** Each line of standard output and standard error, as they come; long ones are cut. */
  readonly onOutput?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Aborting kills the container, and rejects with the signal's reason when it is gone. */
  readonly signal?: AbortSignal;
  /** Seconds between SIGTERM and SIGKILL when aborted; default 0: killed at once. */
  readonly graceSeconds?: number;
}

/** An image that is not there; a name that was taken by somebody who runs. */
const NOT_FOUND = 404;
/** Nothing to stop: not running any more. */
const NOT_MODIFIED = 304;
const CONFLICT = 409;

/**
 * Runs a container to its end; it is always removed.
 * @returns its exit status, 128 + signal when it was killed from outside
 * @throws EngineFailed when the engine does not do what it is asked; the reason of `signal` when aborted
 */
export async function runContainer(engine: Engine, run: ContainerRun): Promise<number> {
  run.signal?.throwIfAborted();
  await removeContainer(engine, run.name);
  const container = await attempt(`creating container ${run.name} from image ${run.image}`, () =>
    engine.docker.createContainer(createOptions(run)),
  );
  try {
    return await startAndWait(container, run);
  } finally {
    await removeContainer(engine, run.name);
  }
}

/**
 * Removes a container, running or not; also where there is none.
 * @throws EngineFailed
 */
export async function removeContainer(engine: Engine, name: string): Promise<void> {
  await attempt(`removing container ${name}`, async () => {
    try {
      await engine.docker.getContainer(name).remove({ force: true, v: true });
    } catch (error) {
      if (statusOf(error) !== NOT_FOUND) throw error;
    }
  });
}

function createOptions(run: ContainerRun): ContainerCreateOptions {
  return {
    name: run.name,
    Image: run.image,
    Cmd: [...run.command],
    // The command is complete: an entry point of the image would come before it.
    Entrypoint: [],
    Labels: { ...run.labels },
    Env: Object.entries(run.env ?? {}).map(([name, value]) => `${name}=${value}`),
    AttachStdout: true,
    AttachStderr: true,
    ...(run.workingDirectory !== undefined && { WorkingDir: run.workingDirectory }),
    HostConfig: {
      Binds: [...(run.binds ?? [])],
      Privileged: run.privileged ?? false,
      // The lines are taken from the attached stream: nothing is kept in the engine's own logs.
      LogConfig: { Type: 'none', Config: {} },
      ...(run.networkMode !== undefined && { NetworkMode: run.networkMode }),
      ...(run.pidMode !== undefined && { PidMode: run.pidMode }),
    },
  };
}

async function startAndWait(container: Container, run: ContainerRun): Promise<number> {
  const what = `running container ${run.name}`;
  // Attached before it starts, so that no line is missed.
  const output = await attempt(what, () =>
    container.attach({ stream: true, stdout: true, stderr: true, hijack: true }),
  );
  const stdout = lineStream((line) => run.onOutput?.(line, 'stdout'));
  const stderr = lineStream((line) => run.onOutput?.(line, 'stderr'));
  container.modem.demuxStream(output, stdout, stderr);
  const drained = attempt(what, () => once(output, 'close'));
  // Awaited below only where the container ended by itself.
  drained.catch(() => undefined);
  const kill = (): void => {
    stopContainer(container, run.graceSeconds ?? 0).catch((error: unknown) => killed.reject(error));
  };
  const killed = Promise.withResolvers<never>();
  try {
    await attempt(what, () => container.start());
    run.signal?.addEventListener('abort', kill, { once: true });
    if (run.signal?.aborted) kill();
    // Its output ends with it. Waiting for that first costs nothing, where podman 4's own wait polls all the time.
    await Promise.race([drained, killed.promise]);
    const { StatusCode } = await Promise.race([
      attempt(what, () => container.wait() as Promise<{ StatusCode: number }>),
      killed.promise,
    ]);
    run.signal?.throwIfAborted();
    return StatusCode;
  } finally {
    run.signal?.removeEventListener('abort', kill);
    if (output instanceof Duplex) output.destroy();
    stdout.end();
    stderr.end();
  }
}

async function stopContainer(container: Container, graceSeconds: number): Promise<void> {
  try {
    if (graceSeconds > 0) await container.stop({ t: graceSeconds });
    else await container.kill();
  } catch (error) {
    // It ended by itself in the meantime.
    if (![NOT_FOUND, NOT_MODIFIED, CONFLICT].includes(statusOf(error) ?? 0)) throw error;
  }
}

/** The HTTP status with which the engine refused. */
const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;

async function attempt<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof EngineFailed) throw cause;
    throw new EngineFailed(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
