/** Machines and the codec: the gateway in between has the keys, the machine has none. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Gateway } from '../../gateway/gateway.ts';
import { Fleet } from '../gateway/harness/fleet.ts';
import { withMachine } from '../gateway/harness/machine-work.ts';
import type { EnrolledMachine } from '../gateway/harness/site.ts';
import { KeysFolder } from '../support/keys-folder.ts';
import { kept } from './clear-text.ts';

let fleet: Fleet;
let gateway: Gateway;
let machines = 0;
beforeAll(async () => {
  fleet = await Fleet.start();
  gateway = await fleet.site.start();
});
afterAll(() => fleet.stop());

const newMachine = (): Promise<EnrolledMachine> => fleet.site.machine(gateway, ++machines);

it('a machine works with clear text, and Temporal keeps none of it: tasks, heartbeats, answers, failures', async () => {
  const machine = await newMachine();
  const mark = `mark-${randomUUID()}`;
  await withMachine(gateway, machine, async (seen) => {
    const handle = await fleet.count(machine, 5, mark);
    await expect.poll(() => seen.counted, { timeout: 30_000 }).toBeGreaterThan(2);
    expect(seen.payload).toBe(mark);
    // Heartbeats stand in the description while the activity runs.
    const running = await kept(fleet.client, handle.workflowId);
    expect([running.bytes.includes(mark), running.unsealed]).toEqual([false, 0]);
    expect(running.payloads).toBeGreaterThan(3);
    expect(await handle.result()).toBe(5);

    const failing = await fleet.count(machine, -1, mark);
    await expect(failing.result()).rejects.toMatchObject({
      cause: { cause: { message: `cannot count: ${mark}`, details: [mark] } },
    });
    const failed = await kept(fleet.client, failing.workflowId);
    expect([failed.bytes.includes(mark), failed.unsealed]).toEqual([false, 0]);
  });
});

it('a task that the gateway cannot decrypt fails at once, and says which key is missing', async () => {
  using other = new KeysFolder();
  const blind = await fleet.site.start({ root: other.root });
  const machine = await newMachine();
  await withMachine(blind, machine, async (seen) => {
    const handle = await fleet.count(machine, 1, 'payload');
    await expect(handle.result()).rejects.toMatchObject({
      cause: { cause: { type: 'PayloadRefused', message: expect.stringMatching(/its key "\w+" is not in/) } },
    });
    expect(seen.counted).toBe(0);
  });
});
