/** The virtual machine that runs while its install waits for its first boot. */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { VirtualMachineInput } from '../activities/contract.ts';
import { virtualMachine } from './policies.ts';

/** At most one virtual machine, started and stopped as phases ask for it. */
export class RunningMachine {
  #scope: CancellationScope | undefined;
  #run: Promise<void> | undefined;
  /** True once the machine has powered off, or could not be run. */
  ended = false;
  /** Why it could not be run. */
  failure: unknown;

  /** Starts it; a running one is stopped first. */
  async start(input: VirtualMachineInput): Promise<void> {
    await this.stop();
    this.ended = false;
    this.failure = undefined;
    const scope = new CancellationScope({ cancellable: true });
    this.#scope = scope;
    this.#run = scope
      .run(() => virtualMachine.runVirtualMachine(input))
      .catch((error: unknown) => {
        if (!isCancellation(error)) this.failure = error;
      })
      .then(() => {
        this.ended = true;
      });
  }

  /** Powers it off and waits until it is off. Does nothing where none runs. */
  async stop(): Promise<void> {
    this.#scope?.cancel();
    const run = this.#run;
    this.#scope = undefined;
    this.#run = undefined;
    if (run !== undefined) await CancellationScope.nonCancellable(() => run);
  }
}
