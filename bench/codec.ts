/** What the payload codec costs: microseconds of one payload, and of activities of a real Temporal with and without it. `node bench/codec.ts`. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { dataConverter } from '../host/codec/data-converter.ts';
import { KeysFolder, payloadOf } from '../test/support/keys-folder.ts';
import { startTemporal } from '../test/support/temporal.ts';

const ROUNDS = 300;
const WORKFLOWS = 60;

Runtime.install({ logger: new DefaultLogger('ERROR') });

/** Text as manifests are: three quarters of it repeat. */
const textOf = (bytes: number): string =>
  Array.from(
    { length: Math.ceil(bytes / 40) },
    (_, n) => `"key-${n % 50}": "${randomBytes(6).toString('hex')}",    `,
  )
    .join('')
    .slice(0, bytes);

async function microseconds(action: () => Promise<unknown>, rounds = ROUNDS): Promise<number> {
  for (let n = 0; n < rounds / 10; n++) await action();
  const begun = performance.now();
  for (let n = 0; n < rounds; n++) await action();
  return Math.round(((performance.now() - begun) / rounds) * 1_000);
}

async function payloads(folder: KeysFolder): Promise<void> {
  const rows: Record<string, object> = {};
  for (const [name, bytes] of [
    ['100 B', 100],
    ['2 KiB', 2_048],
    ['20 KiB', 20_480],
    ['1 MiB', 1_048_576],
  ] as const) {
    const payload = payloadOf(textOf(bytes));
    const sealed = await folder.codec.encode([payload]);
    const rounds = bytes > 100_000 ? 30 : ROUNDS;
    rows[name] = {
      'encode µs': await microseconds(() => folder.codec.encode([payload]), rounds),
      'decode µs': await microseconds(() => folder.codec.decode(sealed), rounds),
      'stored bytes': sealed[0]?.data?.length,
    };
  }
  console.table(rows);
}

/** One workflow of one activity, which gets and gives 2 KiB; one after the other. */
async function activities(folder: KeysFolder): Promise<void> {
  const environment = await startTemporal();
  const workflowsPath = fileURLToPath(new URL('../test/gateway/harness/workflows.ts', import.meta.url));
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  const payload = textOf(2_048);
  const rows: Record<string, object> = {};
  for (const round of [1, 2]) {
    for (const [name, converter] of [
      ['clear', undefined],
      ['encrypted', dataConverter(folder)],
    ] as const) {
      const milliseconds = await run(environment, workflowBundle, converter, payload);
      rows[`${name} ${round}`] = { 'workflow of one activity, ms': milliseconds.toFixed(1) };
    }
  }
  console.table(rows);
  await environment.teardown();
}

async function run(
  { connection, nativeConnection }: Awaited<ReturnType<typeof startTemporal>>,
  workflowBundle: Awaited<ReturnType<typeof bundleWorkflowCode>>,
  converter: DataConverter | undefined,
  payload: string,
): Promise<number> {
  const common = { connection: nativeConnection, ...(converter && { dataConverter: converter }) };
  const control = await Worker.create({ ...common, taskQueue: 'control', workflowBundle });
  const count = async (to: number, text: string): Promise<string> => `${to} ${text}`;
  const machine = await Worker.create({ ...common, taskQueue: 'machine/bench', activities: { count } });
  const client = new Client({ connection, ...(converter && { dataConverter: converter }) });
  const one = (workflowId: string) =>
    client.workflow.execute('count', { taskQueue: 'control', workflowId, args: ['bench', 1, payload] });
  return await control.runUntil(() =>
    machine.runUntil(async () => {
      for (let n = 0; n < 10; n++) await one(`warm-${n}`);
      const begun = performance.now();
      for (let n = 0; n < WORKFLOWS; n++) await one(`run-${n}`);
      return (performance.now() - begun) / WORKFLOWS;
    }),
  );
}

using folder = new KeysFolder();
await payloads(folder);
await activities(folder);
