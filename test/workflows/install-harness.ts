/** Runs `installMachine` on a real Temporal server with scripted activities. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { Layer } from '../../activities/contract.ts';
import { dataConverter, FAILURE_CONVERTER } from '../../host/codec/data-converter.ts';
import {
  BUILDER_QUEUE,
  CONTROL_QUEUE,
  type InstallInput,
  type InstallStatus,
  installWorkflowId,
  machineQueue,
  QUERIES,
  WORKFLOWS,
} from '../../workflows/api.ts';
import { KeysFolder } from '../support/keys-folder.ts';
import { startTemporal } from '../support/temporal.ts';
import { layer, type Script } from './scripted-activities.ts';

// Most of these tests are about failures: the workers' own words on them would bury the tests'.
Runtime.install({ logger: new DefaultLogger('ERROR') });

/** One server and one bundle for all tests of a file. */
export class InstallHarness {
  readonly environment: TestWorkflowEnvironment;
  readonly keys = new KeysFolder();
  /** As everything of Iguana has it: what it sends is encrypted. */
  readonly client: Client;
  readonly #bundle: WorkflowBundleWithSourceMap;

  private constructor(environment: TestWorkflowEnvironment, bundle: WorkflowBundleWithSourceMap) {
    this.environment = environment;
    const { connection } = environment;
    this.client = new Client({ connection, dataConverter: dataConverter(this.keys) });
    this.#bundle = bundle;
  }

  static async start(): Promise<InstallHarness> {
    const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
    return new InstallHarness(
      await startTemporal(),
      await bundleWorkflowCode({
        workflowsPath,
        failureConverterPath: FAILURE_CONVERTER,
        logger: new DefaultLogger('WARN'),
      }),
    );
  }

  async stop(): Promise<void> {
    await this.environment.teardown();
    this.keys[Symbol.dispose]();
  }

  /** Runs workers for some machines while `action` runs. */
  async withWorkers<T>(script: Script, machines: readonly string[], action: () => Promise<T>): Promise<T> {
    const common = {
      connection: this.environment.nativeConnection,
      activities: script.activities,
      dataConverter: dataConverter(this.keys),
    };
    const workers = await Promise.all([
      Worker.create({ ...common, taskQueue: CONTROL_QUEUE, workflowBundle: this.#bundle }),
      Worker.create({ ...common, taskQueue: BUILDER_QUEUE }),
      ...machines.map((id) => Worker.create({ ...common, taskQueue: machineQueue(id) })),
    ]);
    const runs = workers.map((worker) => worker.run());
    try {
      return await action();
    } finally {
      for (const worker of workers) worker.shutdown();
      await Promise.all(runs);
    }
  }

  /** Starts an install of a machine. */
  async install(machineId: string, input: Partial<InstallInput> = {}) {
    return await this.client.workflow.start(WORKFLOWS.installMachine, {
      workflowId: installWorkflowId(machineId),
      taskQueue: CONTROL_QUEUE,
      args: [
        {
          machineId,
          target: { kind: 'file', path: '/disk.img', sizeBytes: 1 },
          layers: [layer('site', '')],
          approval: 'ask',
          ...input,
        },
      ],
    });
  }

  /** One install with its own workers; the action drives it. */
  async run<T>(
    script: Script,
    input: Partial<InstallInput> & { layers?: Layer[] },
    action: (install: Awaited<ReturnType<InstallHarness['install']>>) => Promise<T>,
  ): Promise<T> {
    const machineId = randomUUID();
    return await this.withWorkers(script, [machineId], async () =>
      action(await this.install(machineId, input)),
    );
  }
}

type Handle = Awaited<ReturnType<InstallHarness['install']>>;

/** @returns the install's status */
export const status = (install: Handle): Promise<InstallStatus> =>
  install.query<InstallStatus>(QUERIES.status);

/** Waits until the status is as wanted; the test's own time-out ends a wait in vain. */
export async function until(
  install: Handle,
  wanted: (status: InstallStatus) => boolean,
): Promise<InstallStatus> {
  for (;;) {
    const now = await status(install);
    if (wanted(now)) return now;
    await sleep(50);
  }
}
