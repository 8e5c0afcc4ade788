/** What people and machines may say to a running install, and when. */
import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import type { Layer } from '../activities/contract.ts';
import type { InstallState } from './install-state.ts';
import { now } from './install-state.ts';
import { control } from './policies.ts';
import {
  abortUpdate,
  amendUpdate,
  approveUpdate,
  factsQuery,
  machineStartedSignal,
  manifestQuery,
  reportFirstBootUpdate,
  retryUpdate,
  skipUpdate,
  statusQuery,
} from './updates.ts';

/** What somebody decided while the install stood in `needs-attention`. */
export type Resolution = { readonly kind: 'retry' } | { readonly kind: 'amend' } | { readonly kind: 'skip' };

/** Refuses an update: the caller is told why, and nothing changes. */
const refuse = (why: string): never => {
  throw ApplicationFailure.nonRetryable(why, 'Refused');
};

const named = ({ by }: { by: string }): void => {
  if (!by) refuse('say who you are: `by` is empty');
};

/** Replaces the layer of the same name, or puts it on top. */
function withLayer(layers: readonly Layer[], layer: Layer): Layer[] {
  return layers.some(({ name }) => name === layer.name)
    ? layers.map((old) => (old.name === layer.name ? layer : old))
    : [...layers, layer];
}

/** Registers all queries and updates of an install. */
export class Decisions {
  /** The answer to `needs-attention`; whoever waits for it sets it back. */
  resolution: Resolution | undefined;
  /** Why the install was aborted. */
  aborted: { readonly by: string; readonly reason: string } | undefined;

  readonly #state: InstallState;

  /** @param stop cancels what the install is doing */
  constructor(state: InstallState, stop: () => void) {
    this.#state = state;
    setHandler(statusQuery, () => state.status());
    setHandler(manifestQuery, () => state.plan?.manifest ?? null);
    setHandler(factsQuery, () => state.facts ?? null);
    this.#handleApproval();
    this.#handleAttention();
    this.#handleFirstBoot();
    setHandler(machineStartedSignal, ({ bootId }) => this.#state.started(bootId));
    setHandler(
      abortUpdate,
      ({ by, reason }) => {
        this.aborted = { by, reason };
        stop();
      },
      { validator: named },
    );
  }

  #handleApproval(): void {
    setHandler(
      approveUpdate,
      ({ by, reason }) => {
        this.#state.approval = { by, at: now(), ...(reason !== undefined && { reason }) };
      },
      {
        validator: (args) => {
          named(args);
          if (!this.#state.awaitsApproval) refuse('nothing waits for approval');
        },
      },
    );
  }

  #handleAttention(): void {
    setHandler(retryUpdate, () => this.#resolve('retry'), { validator: (args) => this.#answers(args) });
    setHandler(skipUpdate, () => this.#resolve('skip'), {
      validator: (args) => {
        this.#answers(args);
        const { attention } = this.#state;
        if (!attention?.canSkip)
          refuse(`phase ${attention?.phase} cannot be skipped: the disk would not be sound`);
      },
    });
    setHandler(
      amendUpdate,
      async ({ layer }) => {
        const layers = withLayer(this.#state.layers, layer);
        // Throws what is wrong with the layer: the update fails with it, and the install stands as before.
        await control.checkLayers({ layers });
        if (!this.#state.attention) refuse('somebody else answered in the meantime');
        this.#state.layers = layers;
        this.#resolve('amend');
      },
      { validator: (args) => this.#answers(args) },
    );
  }

  #handleFirstBoot(): void {
    setHandler(
      reportFirstBootUpdate,
      ({ report }) => {
        this.#state.firstBoot ??= { ...report, at: now() };
      },
      {
        validator: ({ tokenDigest, report }) => {
          const { tokenDigest: expected, firstBoot } = this.#state;
          if (!expected || tokenDigest !== expected) refuse('the token is not the one of this install');
          if (firstBoot && firstBoot.bootId !== report.bootId) refuse('the token was used already');
        },
      },
    );
  }

  #answers(args: { by: string }): void {
    named(args);
    if (!this.#state.attention) refuse('the install does not need attention');
    if (this.resolution) refuse('somebody else has answered already');
  }

  #resolve(kind: Resolution['kind']): void {
    this.resolution = { kind };
  }
}
