/** An agent container for tests, in which the real disk steps run and the judging tools too. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { AgentActivities, Progress } from '../../../activities/contract.ts';
import { agentImage } from './agent-image.ts';
import type { Answer, Request, StepFailure } from './protocol.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../..');

/** A step that failed, with the failure's type and message. */
export class StepError extends Error {
  readonly failure: StepFailure;
  constructor(failure: StepFailure) {
    super(`${failure.type}: ${failure.message}`);
    this.name = 'StepError';
    this.failure = failure;
  }
}

/** A step that is running. */
export interface RunningStep<T> {
  readonly result: Promise<T>;
  /** Resolves with the first heartbeat that fits. */
  heartbeat(fits: (progress: Progress) => boolean): Promise<Progress>;
  cancel(): void;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly watchers: Set<(progress: Progress) => void>;
}

/** One container; {@link kill} is what a power cut is to it. */
export class Agent {
  /** A folder that the agent sees at the same path: for disk images. */
  readonly folder: string;
  readonly #name = `iguana-test-${randomUUID()}`;
  readonly #image: string;
  readonly #pending = new Map<number, Pending>();
  #process: ChildProcessWithoutNullStreams | undefined;
  #lastId = 0;

  private constructor(image: string, folder: string) {
    this.#image = image;
    this.folder = folder;
  }

  /** Nothing runs yet: the first step or tool starts the container. */
  static async create(): Promise<Agent> {
    return new Agent(await agentImage(), await mkdtemp(join(tmpdir(), 'iguana-disk-')));
  }

  /** Runs a step to its end. */
  async run<K extends keyof AgentActivities>(
    activity: K,
    input: Parameters<AgentActivities[K]>[0],
  ): Promise<Awaited<ReturnType<AgentActivities[K]>>> {
    return await this.start(activity, input).result;
  }

  /** Starts a step, for tests that disturb it. */
  start<K extends keyof AgentActivities>(
    activity: K,
    input: Parameters<AgentActivities[K]>[0],
  ): RunningStep<Awaited<ReturnType<AgentActivities[K]>>> {
    const id = ++this.#lastId;
    const watchers: Pending['watchers'] = new Set();
    const result = this.#expect<Awaited<ReturnType<AgentActivities[K]>>>(id, watchers);
    this.#send({ kind: 'run', id, activity, input });
    return {
      result,
      heartbeat: (fits) =>
        new Promise((found) => {
          watchers.add((progress) => fits(progress) && found(progress));
        }),
      cancel: () => this.#send({ kind: 'cancel', id }),
    };
  }

  /** Runs a shell script in the container, with the container's tools, and answers what it printed. */
  async shell(script: string): Promise<string> {
    const id = ++this.#lastId;
    const result = this.#expect<string>(id, new Set());
    this.#send({ kind: 'shell', id, script });
    return await result;
  }

  /** Kills the container as a power cut does; the next step starts another one. */
  async kill(): Promise<void> {
    if (!this.#process) return;
    const ended = once(this.#process, 'close');
    await execa('podman', ['kill', '--signal', 'KILL', this.#name], { reject: false });
    await ended;
    this.#process = undefined;
    for (const { reject } of this.#pending.values()) reject(new Error('the agent was killed'));
    this.#pending.clear();
  }

  /** Ends the container and removes what it left. */
  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  #expect<T>(id: number, watchers: Pending['watchers']): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject, watchers });
    return promise as Promise<T>;
  }

  #send(request: Request): void {
    this.#ensureStarted().stdin.write(`${JSON.stringify(request)}\n`);
  }

  #ensureStarted(): ChildProcessWithoutNullStreams {
    if (this.#process) return this.#process;
    const binds = ['/dev:/dev', `${REPOSITORY}:${REPOSITORY}:ro`, `${this.folder}:${this.folder}`].flatMap(
      (bind) => ['--volume', bind],
    );
    const limits = ['--ulimit', 'nofile=20000:20000', '--ulimit', 'nproc=10000:10000'];
    const args = [
      'run',
      '--rm',
      '--interactive',
      '--name',
      this.#name,
      '--privileged',
      '--pid=host',
      '--network=host',
    ];
    const node = join(REPOSITORY, 'node_modules/.bin/node');
    const server = join(import.meta.dirname, 'step-server.ts');
    const environment = ['--env', `IGUANA_STATE=${this.folder}/state`];
    this.#process = spawn('podman', [
      '--runtime',
      'runc',
      ...args,
      ...limits,
      ...binds,
      ...environment,
      this.#image,
      node,
      server,
    ]);
    this.#process.stderr.pipe(process.stderr);
    createInterface({ input: this.#process.stdout }).on('line', (line) =>
      this.#take(JSON.parse(line) as Answer),
    );
    return this.#process;
  }

  #take(answer: Answer): void {
    const pending = this.#pending.get(answer.id);
    if (!pending) return;
    if (answer.kind === 'heartbeat') {
      for (const watch of pending.watchers) watch(answer.progress);
      return;
    }
    this.#pending.delete(answer.id);
    if (answer.kind === 'result') pending.resolve(answer.value);
    else pending.reject(new StepError(answer.failure));
  }
}
