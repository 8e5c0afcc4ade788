/** Asks what machines shall start from, and remembers the answers. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Logger } from 'pino';
import { type GatewayPaths, machineFile } from '../../host/enrolment/paths.ts';
import { readRecord, writeRecord } from '../../host/enrolment/records.ts';
import { type InstallStatus, installWorkflowId, QUERIES } from '../../workflows/api.ts';
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
  readonly #logger: Logger;

  constructor(client: Client, paths: Pick<GatewayPaths, 'boots'>, logger: Logger) {
    this.#client = client;
    this.#paths = paths;
    this.#logger = logger;
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
    if (target !== known) {
      const record: BootRecord = { machineId, target, since: new Date().toISOString() };
      await writeRecord(this.#paths.boots, file, record);
    }
    return target;
  }

  async #install(machineId: string): Promise<InstallStatus | 'none' | 'unknown'> {
    try {
      return await this.#client.withDeadline(Date.now() + PATIENCE_MS, () =>
        this.#client.workflow.getHandle(installWorkflowId(machineId)).query<InstallStatus>(QUERIES.status),
      );
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'none';
      this.#logger.warn({ machineId, err: error }, 'asking Temporal what a machine shall start from failed');
      return 'unknown';
    }
  }
}
