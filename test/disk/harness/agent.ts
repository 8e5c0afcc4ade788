/** An agent container for tests, in which the real disk steps run and the judging tools too. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentActivities, Progress } from '../../../activities/contract.ts';
import { type AgentContainer, agentImage, type ContainerPlace, startContainer } from './container.ts';
import type { Answer, Request, StepFailure } from './protocol.ts';

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
  readonly #place: ContainerPlace;
  readonly #pending = new Map<number, Pending>();
  #container: Promise<AgentContainer> | undefined;
  #lastId = 0;

  private constructor(place: ContainerPlace) {
    this.#place = place;
    this.folder = place.folder;
  }

  /**
   * Nothing runs yet: the first step or tool starts the container.
   * @param environment of the agent, besides its state folder
   */
  static async create(environment: Readonly<Record<string, string>> = {}): Promise<Agent> {
    const folder = await mkdtemp(join(tmpdir(), 'iguana-disk-'));
    return new Agent({ ...(await agentImage()), folder, environment });
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

  /**
   * Runs a step and kills the agent exactly at one of its heartbeats.
   * @param heartbeat counted from 1
   * @returns false where the step ended before it had so many
   */
  async runKilledAt<K extends keyof AgentActivities>(
    activity: K,
    input: Parameters<AgentActivities[K]>[0],
    heartbeat: number,
  ): Promise<boolean> {
    const id = ++this.#lastId;
    const { promise: reached, resolve } = Promise.withResolvers<true>();
    let count = 0;
    const watchers: Pending['watchers'] = new Set([() => ++count === heartbeat && resolve(true)]);
    const result = this.#expect<unknown>(id, watchers).then(() => false);
    this.#send({ kind: 'run', id, activity, input, stopAtHeartbeat: heartbeat });
    if (!(await Promise.race([reached, result]))) return false;
    const ended = Promise.allSettled([result]);
    await this.kill();
    await ended;
    return true;
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
    const container = await this.#container;
    this.#container = undefined;
    await container?.kill();
    this.#rejectAll(new Error('the agent was killed'));
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
    this.#container ??= startContainer(this.#place, {
      onAnswer: (answer) => this.#take(answer),
      onEnd: (words) => this.#rejectAll(new Error(`the agent has ended: ${words}`)),
    });
    this.#container.then(
      (container) => container.send(request),
      (error: Error) => this.#rejectAll(error),
    );
  }

  #rejectAll(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
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
