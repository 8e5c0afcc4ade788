/** Machines that behave: real workers whose only way to a real Temporal is the gateway. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Gateway } from '../../gateway/gateway.ts';
import { apiThrough } from './harness/api.ts';
import { Fleet } from './harness/fleet.ts';
import { connectMachine, withMachine } from './harness/machine-work.ts';
import type { EnrolledMachine } from './harness/site.ts';

let fleet: Fleet;
let gateway: Gateway;
let machines = 0;
beforeAll(async () => {
  fleet = await Fleet.start();
  gateway = await fleet.site.start();
});
afterAll(() => fleet.stop());

const newMachine = (): Promise<EnrolledMachine> => fleet.site.machine(gateway, ++machines);

/** A task of a machine, polled by hand. */
async function poll(machine: EnrolledMachine, at: Gateway = gateway) {
  const connection = apiThrough(at, machine);
  const service = connection.workflowService;
  const { taskToken } = await service.pollActivityTaskQueue({
    namespace: 'default',
    taskQueue: { name: `machine/${machine.id}` },
  });
  return { connection, service, taskToken };
}

it('completes an activity with heartbeats; the history names the machine that the certificate names', async () => {
  const machine = await newMachine();
  await withMachine(gateway, machine, async () => {
    const handle = await fleet.count(machine, 10);
    expect(await handle.result()).toBe(10);
    const history = await fleet.history(handle);
    expect(history.match(/"identity":"machine [^"]*"/g)).toEqual(
      Array(2).fill(`"identity":"machine ${machine.id}"`),
    );
  });
  expect(fleet.site.denials(machine.id)).toEqual([]);
});

it('carries a cancellation to the activity', async () => {
  const machine = await newMachine();
  await withMachine(gateway, machine, async (seen) => {
    const handle = await fleet.count(machine, 1_000);
    await expect.poll(() => seen.counted, { timeout: 30_000 }).toBeGreaterThan(2);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    expect(seen.cancelled).toBe(true);
    expect((await handle.describe()).status.name).toBe('CANCELLED');
  });
});

it('loses nothing when it is started again in the middle of an activity', async () => {
  const machine = await newMachine();
  let mine = await fleet.site.start();
  const { port } = mine;
  await withMachine(mine, machine, async (seen) => {
    const handle = await fleet.count(machine, 50);
    await expect.poll(() => seen.counted, { timeout: 30_000 }).toBeGreaterThan(5);
    await fleet.site.stop(mine);
    await sleep(1_000);
    mine = await fleet.site.start({ port });
    expect(await handle.result()).toBe(50);
  });
});

it('takes the answer to a task that another gateway gave out', async () => {
  const machine = await newMachine();
  const other = await fleet.site.start();
  const handle = await fleet.count(machine, 1);
  const polled = await poll(machine);
  const answering = apiThrough(other, machine);
  const { taskToken } = polled;
  await answering.workflowService.recordActivityTaskHeartbeat({ namespace: 'default', taskToken });
  const data = Buffer.from('42');
  const result = { payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data }] };
  await answering.workflowService.respondActivityTaskCompleted({ namespace: 'default', taskToken, result });
  expect(await handle.result()).toBe(42);
  await Promise.all([polled.connection.close(), answering.close()]);
});

it('cancels a poll that nobody waits for any longer: it takes no task with it', async () => {
  const machine = await newMachine();
  const connection = apiThrough(gateway, machine);
  for (let n = 0; n < 5; n++) {
    const gone = new AbortController();
    const abandoned = connection.withAbortSignal(gone.signal, () =>
      connection.workflowService.pollActivityTaskQueue({
        namespace: 'default',
        taskQueue: { name: `machine/${machine.id}` },
      }),
    );
    abandoned.catch(() => undefined);
    await sleep(300);
    gone.abort();
    await expect(abandoned).rejects.toThrow(/CANCELLED/);
  }
  await connection.close();
  // One that was stolen would fail after its heartbeat's time-out.
  await withMachine(gateway, machine, async () => {
    for (let n = 0; n < 5; n++) expect(await (await fleet.count(machine, 1)).result()).toBe(1);
  });
});

it('passes payloads of megabytes', async () => {
  const machine = await newMachine();
  await withMachine(gateway, machine, async () => {
    // Up with every heartbeat, and down with the task. Letters that gzip cannot make small.
    const payload = Array.from({ length: 1_500_000 }, () =>
      String.fromCharCode(32 + Math.random() * 90),
    ).join('');
    expect(await (await fleet.count(machine, 3, payload)).result()).toBe(3);
  });
});

it("passes Temporal's errors, with their details, and deadlines", async () => {
  const machine = await newMachine();
  const handle = await fleet.count(machine, 1);
  const { connection, service, taskToken } = await poll(machine);
  await handle.terminate();
  const late = service.respondActivityTaskCompleted({ namespace: 'default', taskToken });
  const error = await late.catch((caught: unknown) => caught);
  expect(isGrpcServiceError(error)).toBe(true);
  expect(error).toMatchObject({ code: 5 });
  expect(isGrpcServiceError(error) && error.metadata.get('grpc-status-details-bin')).toHaveLength(1);
  const taskQueue = { name: `machine/${machine.id}` };
  const waiting = connection.withDeadline(Date.now() + 4_000, () =>
    service.pollActivityTaskQueue({ namespace: 'default', taskQueue }),
  );
  // Temporal ends a poll before its deadline, with no task.
  const ended = await waiting.then(
    (task) => task.taskToken.length,
    (caught: { code: number }) => caught.code,
  );
  expect([0, 4]).toContain(ended);
  await connection.close();
});

it('goes on with another connection, as agents do when they renew their certificate', async () => {
  const machine = await newMachine();
  await withMachine(gateway, machine, async (seen, worker) => {
    const handle = await fleet.count(machine, 30);
    await expect.poll(() => seen.counted, { timeout: 30_000 }).toBeGreaterThan(5);
    const before = worker.connection;
    const renewed = await connectMachine(gateway, machine);
    worker.connection = renewed;
    expect(await handle.result()).toBe(30);
    worker.connection = before as typeof renewed;
    await renewed.close();
  });
});
