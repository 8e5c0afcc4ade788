/** `installMachine`: the install of one machine, from its facts to its first boot. */
import { ApplicationFailure, CancellationScope, condition, isCancellation, log } from '@temporalio/workflow';
import { type InstallInput, type InstallResult, PHASES, type Phase } from './api.ts';
import { describeAttention } from './attention.ts';
import { Decisions } from './decisions.ts';
import { InstallState, now } from './install-state.ts';
import { cleanUpActivities } from './policies.ts';
import { RunningMachine } from './running-machine.ts';
import { STEPS } from './steps.ts';

/**
 * Installs one machine. Ends well with outcome `succeeded` only; else the workflow fails or is cancelled, and its last
 * status says which.
 */
export async function installMachine(input: InstallInput): Promise<InstallResult> {
  const state = new InstallState(input);
  const machine = new RunningMachine();
  const work = new CancellationScope({ cancellable: true });
  const decisions = new Decisions(state, () => work.cancel());
  try {
    await work.run(() => new Phases(state, decisions, machine).run());
    state.end('succeeded');
    return result(state);
  } catch (error) {
    await CancellationScope.nonCancellable(() => cleanUp(state, machine));
    if (decisions.aborted) {
      state.end('aborted');
      const { by, reason } = decisions.aborted;
      throw ApplicationFailure.nonRetryable(`aborted by ${by}: ${reason}`, 'InstallAborted', result(state));
    }
    state.end(isCancellation(error) ? 'cancelled' : 'timed-out');
    throw error;
  }
}

function result({ input, plan, outcome = 'succeeded' }: InstallState): InstallResult {
  return {
    outcome,
    machineId: input.machineId,
    ...(plan && {
      manifestDigest: plan.manifestDigest,
      imageDigest: plan.manifest.imageDigest,
      diskId: plan.manifest.storage.disk.id,
    }),
  };
}

/** Leaves nothing behind: no machine running, nothing mounted, no loop device. */
async function cleanUp(state: InstallState, machine: RunningMachine): Promise<void> {
  await machine.stop();
  const { machineId } = state.input;
  try {
    await cleanUpActivities(machineId).release(state.hold);
  } catch (error) {
    // How the install ended matters more than this. No agent came, so that its mounts are gone with it; the loop device of
    // a disk image may be left, and the next install onto that image takes it over.
    log.warn('cleaning up after the install failed', { machineId, error: String(error) });
  }
}

/** Runs what is not done yet, in order, and asks a person where that fails. */
class Phases {
  readonly #done = new Map<Phase, string>();
  /** Counts how often a phase was asked for again, so that its key changes. */
  readonly #again = new Map<Phase, number>();
  readonly #state: InstallState;
  readonly #decisions: Decisions;
  readonly #machine: RunningMachine;

  constructor(state: InstallState, decisions: Decisions, machine: RunningMachine) {
    this.#state = state;
    this.#decisions = decisions;
    this.#machine = machine;
  }

  async run(): Promise<void> {
    for (let phase = this.#next(); phase; phase = this.#next()) {
      this.#state.begin(phase);
      try {
        const line = await STEPS[phase].run(this.#state, this.#machine);
        this.#finish(phase, 'done', line);
      } catch (error) {
        if (isCancellation(error) || isTimedOut(error)) throw error;
        await this.#ask(phase, error);
      }
    }
  }

  #next(): Phase | undefined {
    const next = PHASES.find((phase) => this.#done.get(phase) !== this.#key(phase));
    if (next === undefined || !STEPS[next].needsUnbooted || !this.#state.hasBooted) return next;
    this.#repeat('write');
    return 'write';
  }

  #repeat(phase: Phase): void {
    this.#again.set(phase, (this.#again.get(phase) ?? 0) + 1);
  }

  #key(phase: Phase): string {
    const { after, key } = STEPS[phase];
    return [
      phase,
      this.#again.get(phase) ?? 0,
      key(this.#state),
      ...after.map((earlier) => this.#key(earlier)),
    ].join(' ');
  }

  #finish(phase: Phase, state: 'done' | 'skipped', line: string): void {
    this.#state.finish(phase, state, line);
    this.#done.set(phase, this.#key(phase));
  }

  /** Stands in `needs-attention` until somebody has answered; returns when there is something to do again. */
  async #ask(phase: Phase, error: unknown): Promise<void> {
    const { canSkip, retryFrom } = STEPS[phase];
    const attention = describeAttention(phase, error, canSkip, now());
    this.#state.stand(attention);
    const { firstBoot } = this.#state;
    const answered = await condition(
      // A machine that reports late has answered by itself, in `handoff` and `confirm`: before, nothing can report.
      () => this.#decisions.resolution !== undefined || this.#state.firstBoot !== firstBoot,
      this.#state.patienceMs,
    );
    if (!answered) {
      throw ApplicationFailure.nonRetryable(`nobody answered in phase ${phase}`, 'InstallTimedOut');
    }
    const kind = this.#decisions.resolution?.kind;
    this.#decisions.resolution = undefined;
    this.#state.attention = undefined;
    if (kind === 'skip') {
      this.#finish(phase, 'skipped', 'skipped');
    } else if (kind !== undefined) {
      this.#repeat(retryFrom?.(this.#state, attention.type) ?? phase);
    }
  }
}

const isTimedOut = (error: unknown): boolean =>
  error instanceof ApplicationFailure && error.type === 'InstallTimedOut';
