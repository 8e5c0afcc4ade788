/** Tells installs when their machines are started, so that a history shows every boot. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Logger } from 'pino';
import { changing } from '../../host/enrolment/changes.ts';
import { findMachine, writeMachine } from '../../host/enrolment/machines.ts';
import type { GatewayPaths } from '../../host/enrolment/paths.ts';
import { installWorkflowId, type MachineStartedArgs, SIGNALS } from '../../workflows/api.ts';

/** Temporal ends a workflow at 51,200 events; a machine that starts every minute for weeks must not be its end. */
const MAX_EVENTS = 20_000;

/** The starts of one state folder's machines. */
export class MachineStarts {
  readonly #client: Client;
  readonly #paths: GatewayPaths;
  readonly #logger: Logger;

  constructor(client: Client, paths: GatewayPaths, logger: Logger) {
    this.#client = client;
    this.#paths = paths;
    this.#logger = logger;
  }

  /**
   * Tells the install of a machine, where one is under way, that the machine has been started. A boot that was told is remembered
   * afterwards, so that one may be told twice and none is lost; where Temporal is away it is told with the next certificate.
   * Never throws: a machine is let in whatever becomes of this.
   */
  async tell(machineId: string, args: MachineStartedArgs): Promise<void> {
    const { bootId } = args;
    try {
      if ((await findMachine(this.#paths, machineId))?.bootId === bootId) return;
      await this.#signal(machineId, args);
      await changing(this.#paths, async () => {
        const machine = await findMachine(this.#paths, machineId);
        if (machine) await writeMachine(this.#paths, { ...machine, bootId });
      });
    } catch (error) {
      // No install yet: the one that comes begins with this boot.
      if (error instanceof WorkflowNotFoundError) return;
      this.#logger.warn(
        { machine: machineId, err: error },
        'telling the install that its machine has started failed',
      );
    }
  }

  async #signal(machineId: string, args: MachineStartedArgs): Promise<void> {
    const install = this.#client.workflow.getHandle(installWorkflowId(machineId));
    const { historyLength } = await install.describe();
    if (historyLength > MAX_EVENTS) {
      this.#logger.warn(
        { machine: machineId, historyLength },
        'the history of the install is long: this start is left out',
      );
      return;
    }
    await install.signal(SIGNALS.machineStarted, args);
  }
}
