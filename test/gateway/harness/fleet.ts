/** Temporal, the worker of the tests' workflow beside it, and gateways in front of it. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { dataConverter } from '../../../host/codec/data-converter.ts';
import { startTemporal } from '../../support/temporal.ts';
import { type EnrolledMachine, GatewaySite } from './site.ts';
import type { count, installNaming } from './workflows.ts';

const QUEUE = 'control';

Runtime.install({ logger: new DefaultLogger('ERROR') });

/** One of them for a file of tests. */
export class Fleet {
  readonly environment: TestWorkflowEnvironment;
  readonly site: GatewaySite;
  /** With the keys of the site, as everything but machines has them. */
  readonly client: Client;
  readonly #worker: Worker;
  readonly #run: Promise<void>;

  private constructor(environment: TestWorkflowEnvironment, site: GatewaySite, worker: Worker) {
    this.environment = environment;
    this.site = site;
    const { connection } = environment;
    this.client = new Client({ connection, dataConverter: dataConverter(site) });
    this.#worker = worker;
    this.#run = worker.run();
  }

  static async start(): Promise<Fleet> {
    const environment = await startTemporal();
    const workflowsPath = fileURLToPath(new URL('workflows.ts', import.meta.url));
    const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
    const connection = environment.nativeConnection;
    const site = new GatewaySite(environment.address);
    const worker = await Worker.create({
      connection,
      taskQueue: QUEUE,
      workflowBundle,
      dataConverter: dataConverter(site),
    });
    return new Fleet(environment, site, worker);
  }

  /** Has a machine count, by a workflow of its own. */
  async count(machine: EnrolledMachine, to: number, payload = ''): Promise<WorkflowHandle<typeof count>> {
    return await this.client.workflow.start<typeof count>('count', {
      taskQueue: QUEUE,
      workflowId: `count/${machine.id}/${randomUUID()}`,
      args: [machine.id, to, payload],
    });
  }

  /** The running install of a machine, whose manifest names these secrets. */
  async installNaming(
    machine: EnrolledMachine,
    secrets: readonly string[],
  ): Promise<WorkflowHandle<typeof installNaming>> {
    return await this.client.workflow.start<typeof installNaming>('installNaming', {
      taskQueue: QUEUE,
      workflowId: `install/${machine.id}`,
      args: [secrets],
    });
  }

  /** Everything in a workflow's history, as text. */
  async history(handle: Pick<WorkflowHandle, 'fetchHistory'>): Promise<string> {
    return JSON.stringify(await handle.fetchHistory());
  }

  async stop(): Promise<void> {
    this.#worker.shutdown();
    await this.#run;
    await this.site.remove();
    await this.environment.teardown();
  }
}
