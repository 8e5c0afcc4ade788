/** Asks what machines shall start from, and remembers the answers. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { type GatewayPaths, machineFile } from '../../host/enrolment/paths.ts';
import { readRecord, writeRecord } from '../../host/enrolment/records.ts';
import { type InstallStatus, installWorkflowId, QUERIES } from '../../workflows/api.ts';
import type { FoldedLog } from '../folded-log.ts';
import { type BootTarget, bootTarget } from './decide.ts';

/** iPXE itself waits longer. */
const PATIENCE_MS = 5_000;

interface BootRecord {
  readonly machineId: string;
  readonly target: BootTarget;
  /** ISO 8601. */
  readonly since: string;
}

/** The answers of one state folder. */
export class BootTargets {
  readonly #client: Client;
  readonly #paths: Pick<GatewayPaths, 'boots'>;
  readonly #log: FoldedLog;

  constructor(client: Client, paths: Pick<GatewayPaths, 'boots'>, log: FoldedLog) {
    this.#client = client;
    this.#paths = paths;
    this.#log = log;
  }

  /**
   * What a machine shall start from: by its install, else, where Temporal has forgotten that or cannot be asked, as the last time.
   * @returns undefined where Temporal cannot be asked and the machine was never here
   */
  async of(machineId: string): Promise<BootTarget | undefined> {
    const file = machineFile(machineId);
    const known = (await readRecord<BootRecord>(this.#paths.boots, file))?.target;
    const install = await this.#install(machineId);
    if (install === 'unknown') return known;
    if (install === 'none') return known ?? bootTarget(undefined);
    const target = bootTarget(install);
    // Only what an install says is kept: whoever asks for any name leaves nothing behind.
    if (target !== known) await this.#keep({ machineId, target, since: new Date().toISOString() });
    return target;
  }

  /** Never throws: a machine is told what to start from, whatever becomes of this. */
  async #keep(record: BootRecord): Promise<void> {
    try {
      await writeRecord(this.#paths.boots, machineFile(record.machineId), record);
    } catch (error) {
      this.#warn(
        'keeping what a machine starts from failed; while Temporal is away it may be told otherwise',
        record.machineId,
        error,
      );
    }
  }

  async #install(machineId: string): Promise<InstallStatus | 'none' | 'unknown'> {
    try {
      return await this.#client.withDeadline(Date.now() + PATIENCE_MS, () =>
        this.#client.workflow.getHandle(installWorkflowId(machineId)).query<InstallStatus>(QUERIES.status),
      );
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'none';
      this.#warn('asking Temporal what a machine shall start from failed', machineId, error);
      return 'unknown';
    }
  }

  /** Not a line for each machine: Temporal and disks fail for all of them at once. */
  #warn(message: string, machineId: string, error: unknown): void {
    this.#log.say(message, { level: 'warn', details: { machineId, err: error }, message });
  }
}
