/**
 * Iguana for programs: what the `iguana` command does, as a library.
 *
 * ```ts
 * await using iguana = Iguana.connect({ start: true });
 * await iguana.startInstall(input);
 * for await (const event of iguana.watch(input.machineId)) console.log(event);
 * ```
 */
import { dirname } from 'node:path';
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { Target, VirtualMachineInput } from '../activities/contract.ts';
import { requestAgent } from '../host/agent-requests.ts';
import { asGuestsSee } from '../host/guest-network.ts';
import { findServer } from '../host/server-record.ts';
import { type StatePaths, statePaths } from '../host/state.ts';
import type { Facts } from '../manifest/schema/facts.ts';
import type { Manifest } from '../manifest/schema/manifest.ts';
import {
  type AbortArgs,
  type AmendArgs,
  type ApproveArgs,
  CONTROL_QUEUE,
  type InstallInput,
  type InstallStatus,
  installWorkflowId,
  QUERIES,
  type RetryArgs,
  runWorkflowId,
  SEARCH_ATTRIBUTES,
  type SkipArgs,
  UPDATES,
  WORKFLOWS,
} from '../workflows/api.ts';
import { type ConnectOptions, openSession } from './connect.ts';
import { CommandError } from './errors.ts';
import type { Timeline } from './history/entries.ts';
import { look, type Snapshot, type WatchEvent, type WatchOptions, watchInstall } from './install/watch.ts';
import { notFoundAs, type Session } from './session.ts';

/** Path of the gateway's endpoint. */
const REPORT_PATH = '/v1/first-boot';

/** An install in a list. */
export interface InstallSummary {
  readonly machineId: string;
  readonly runId: string;
  /** A phase, `needs-attention` or `ended`. */
  readonly phase: string;
  readonly outcome?: string;
  readonly execution: string;
  readonly imageDigest?: string;
  readonly startedAt: string;
  readonly endedAt?: string;
}

/** What came of {@link Iguana.startInstall}. */
export interface StartedInstall {
  readonly machineId: string;
  readonly runId: string;
  /** True where an install of this machine was running already: nothing new was started. */
  readonly attached: boolean;
}

/** A connection to Iguana. */
export class Iguana {
  readonly #session: Session;
  readonly #paths: StatePaths;

  private constructor(session: Session, paths: StatePaths) {
    this.#session = session;
    this.#paths = paths;
  }

  /**
   * Makes a connection, which is opened with the first call.
   * @param options `paths` default to those of the environment
   */
  static connect(options: ConnectOptions & { readonly paths?: StatePaths } = {}): Iguana {
    const paths = options.paths ?? statePaths();
    return new Iguana(openSession(paths, options), paths);
  }

  /** The Temporal client to use now. */
  get client(): () => Promise<Client> {
    return this.#session.client;
  }

  /**
   * Starts an install, or finds the one that runs on this machine, and asks this host for an agent.
   * @throws CommandError where Temporal cannot be reached
   */
  async startInstall(input: InstallInput): Promise<StartedInstall> {
    const client = await this.client();
    const { machineId } = input;
    const workflowId = installWorkflowId(machineId);
    let started: StartedInstall;
    try {
      const handle = await client.workflow.start(WORKFLOWS.installMachine, {
        taskQueue: CONTROL_QUEUE,
        workflowId,
        args: [{ ...(await this.#reporting(input.target)), ...input }],
        workflowIdConflictPolicy: 'FAIL',
      });
      started = { machineId, runId: handle.firstExecutionRunId, attached: false };
    } catch (error) {
      if (!(error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError')) throw error;
      const { runId } = await client.workflow.getHandle(workflowId).describe();
      started = { machineId, runId, attached: true };
    }
    const target = started.attached ? (await this.status(machineId)).target : input.target;
    await this.requestAgent(machineId, target);
    return started;
  }

  /**
   * Asks this host to run the agent of an install; a machine that is installed itself runs its own. Asked after the start: requests
   * without an install are dropped.
   */
  async requestAgent(machineId: string, target: Target): Promise<void> {
    if (target.kind === 'machine') return;
    await requestAgent(this.#paths, {
      machineId,
      folders: target.kind === 'file' ? [dirname(target.path)] : [],
    });
  }

  /** The state of an install. */
  async status(machineId: string, runId?: string): Promise<InstallStatus> {
    const handle = (await this.client()).workflow.getHandle(installWorkflowId(machineId), runId);
    return notFoundAs(machineId, () => handle.query<InstallStatus>(QUERIES.status));
  }

  /**
   * The manifest that an install is made from.
   * @throws CommandError where it is not planned yet
   */
  async manifest(machineId: string, runId?: string): Promise<Manifest> {
    return this.#document<Manifest>(machineId, QUERIES.manifest, runId);
  }

  /**
   * The facts of an install's machine.
   * @throws CommandError where it is not probed yet
   */
  async facts(machineId: string, runId?: string): Promise<Facts> {
    return this.#document<Facts>(machineId, QUERIES.facts, runId);
  }

  /** The state of an install with its running activities. */
  async look(machineId: string, runId?: string): Promise<Snapshot> {
    return (await look(await this.client(), machineId, runId)).snapshot;
  }

  /**
   * Installs, the latest first.
   * @param filter `running`: those that have not ended; default all
   */
  async *installs(filter: 'all' | 'running' = 'all'): AsyncGenerator<InstallSummary, void> {
    const running = filter === 'running' ? " AND ExecutionStatus = 'Running'" : '';
    const query = `WorkflowType = '${WORKFLOWS.installMachine}'${running}`;
    for await (const info of (await this.client()).workflow.list({ query })) yield summaryOf(info);
  }

  /** Whether an install of this machine has begun and not ended; unlike {@link installs}, never behind. */
  async isRunning(machineId: string): Promise<boolean> {
    try {
      const handle = (await this.client()).workflow.getHandle(installWorkflowId(machineId));
      return (await handle.describe()).status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof Error && error.name === 'WorkflowNotFoundError') return false;
      throw error;
    }
  }

  /** Tells whatever changes in an install until it ends. */
  watch(machineId: string, options: WatchOptions = {}): AsyncGenerator<WatchEvent, void> {
    return watchInstall(this.client, machineId, options);
  }

  /** The timeline of an install, also of one that has ended. */
  async history(machineId: string, runId?: string): Promise<Timeline> {
    const { installTimeline } = await import('./history/timeline.ts');
    return installTimeline(await this.client(), machineId, runId);
  }

  /** Consents to what the install destroys. */
  async approve(machineId: string, args: ApproveArgs): Promise<void> {
    await this.#update(machineId, UPDATES.approve, args);
  }

  /** Tries the phase that needs attention again. */
  async retry(machineId: string, args: RetryArgs): Promise<void> {
    await this.#update(machineId, UPDATES.retry, args);
  }

  /** Changes a layer, and does again what depends on it. */
  async amend(machineId: string, args: AmendArgs): Promise<void> {
    await this.#update(machineId, UPDATES.amend, args);
  }

  /** Goes on without the phase that needs attention. */
  async skip(machineId: string, args: SkipArgs): Promise<void> {
    await this.#update(machineId, UPDATES.skip, args);
  }

  /** Ends the install; it cleans up behind itself. */
  async abort(machineId: string, args: AbortArgs): Promise<void> {
    await this.#update(machineId, UPDATES.abort, args);
  }

  /**
   * Boots the disk image of an install on this host and keeps the machine running until {@link stopMachine}, or until its
   * guest switches it off. Does nothing where it runs already.
   * @param disk default: the disk image of the install
   * @throws CommandError where the install was not onto a disk image, or is not planned
   */
  async runMachine(machineId: string, disk?: string): Promise<void> {
    const [manifest, { target }] = await Promise.all([this.manifest(machineId), this.status(machineId)]);
    const path = disk ?? (target.kind === 'file' ? target.path : undefined);
    if (path === undefined) {
      throw new CommandError(`booting ${machineId}: it was not installed onto a disk image`);
    }
    const { memory, cpus, sshPort } = manifest.handoff.virtualMachine;
    await this.switchOn({ machineId, path, memoryMiB: memory, cpus, sshPort });
  }

  /**
   * Switches a virtual machine on, on the host of the control worker: from a boot image, where one is given, until its guest switches it
   * off, then from its disk. Does nothing where it runs already.
   */
  async switchOn(machine: VirtualMachineInput): Promise<void> {
    await (await this.client()).workflow.start(WORKFLOWS.runMachine, {
      taskQueue: CONTROL_QUEUE,
      workflowId: runWorkflowId(machine.machineId),
      args: [machine],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
  }

  /** Cuts the power of a machine that {@link switchOn} started; it comes back a second later, and the machine starts again. */
  async cutPower(machineId: string): Promise<void> {
    const handle = (await this.client()).workflow.getHandle(runWorkflowId(machineId));
    await handle.executeUpdate(UPDATES.cutPower);
  }

  /**
   * Presses the power button of a machine that {@link runMachine} started, and waits until it is off.
   * @returns false where none runs
   */
  async stopMachine(machineId: string): Promise<boolean> {
    const handle = (await this.client()).workflow.getHandle(runWorkflowId(machineId));
    try {
      await handle.cancel();
      await handle.result();
      return true;
    } catch (error) {
      if (error instanceof Error && error.name === 'WorkflowNotFoundError') return false;
      if (error instanceof Error && error.name === 'WorkflowFailedError') return true;
      throw error;
    }
  }

  /** Closes the connection; the install goes on. */
  async close(): Promise<void> {
    await this.#session.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Where the installed system reports its first boot; an input that says so itself wins. */
  async #reporting(target: Target): Promise<Pick<InstallInput, 'reportUrl'>> {
    const base = process.env.IGUANA_REPORT_URL ?? (await findServer(this.#paths))?.reportAddress;
    if (!base) return {};
    const url = new URL(REPORT_PATH, base).href;
    // Another machine than this host can reach its loopback only as a virtual machine.
    return { reportUrl: target.kind === 'device' ? url : asGuestsSee(url).href };
  }

  async #document<T>(machineId: string, query: string, runId?: string): Promise<T> {
    const handle = (await this.client()).workflow.getHandle(installWorkflowId(machineId), runId);
    const document = await notFoundAs(machineId, () => handle.query<T | null>(query));
    if (document !== null) return document;
    throw new CommandError(`the install of ${machineId} has no ${query} yet`, {
      remedy: `\`iguana status ${machineId}\` shows how far it is.`,
    });
  }

  async #update(machineId: string, name: string, args: object): Promise<void> {
    const handle = (await this.client()).workflow.getHandle(installWorkflowId(machineId));
    await notFoundAs(machineId, () => handle.executeUpdate<void, [object]>(name, { args: [args] }));
  }
}

function summaryOf(info: WorkflowExecutionInfo): InstallSummary {
  const attributes = new Map(
    info.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, String(value)]),
  );
  const outcome = attributes.get(SEARCH_ATTRIBUTES.outcome);
  const imageDigest = attributes.get(SEARCH_ATTRIBUTES.imageDigest);
  return {
    machineId: info.workflowId.slice(installWorkflowId('').length),
    runId: info.runId,
    phase: attributes.get(SEARCH_ATTRIBUTES.phase) ?? (info.closeTime ? 'ended' : 'waiting'),
    execution: info.status.name,
    startedAt: info.startTime.toISOString(),
    ...(outcome && { outcome }),
    ...(imageDigest && { imageDigest }),
    ...(info.closeTime && { endedAt: info.closeTime.toISOString() }),
  };
}
