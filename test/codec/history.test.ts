/** What a real Temporal keeps of installs, and who can read it. */
import { randomUUID } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { failure } from '../../activities/failures.ts';
import { installTimeline } from '../../client/history/timeline.ts';
import { dataConverter } from '../../host/codec/data-converter.ts';
import { UPDATES } from '../../workflows/api.ts';
import { KeysFolder } from '../support/keys-folder.ts';
import { InstallHarness, status, until } from '../workflows/install-harness.ts';
import { layer, Script } from '../workflows/scripted-activities.ts';
import { kept } from './clear-text.ts';

let harness: InstallHarness;
beforeAll(async () => {
  harness = await InstallHarness.start();
});
afterAll(() => harness.stop());

it('holds nothing of a profile, a failure or a decision in clear text, and tells all of it to who has the keys', async () => {
  const mark = `mark-${randomUUID()}`;
  let failures = 1;
  const script = new Script({
    partition: async () => {
      if (failures-- > 0) throw failure('DiskTooSmall', `making partitions: ${mark} failure`);
      return await new Script().activities.partition({} as never);
    },
  });
  const input = { layers: [layer('site', `personalise: ${mark} profile`)] };
  await harness.run(script, input, async (install) => {
    await until(install, ({ attention }) => attention !== undefined);
    expect(JSON.stringify((await status(install)).attention)).toContain(`${mark} failure`);
    await install.executeUpdate(UPDATES.retry, { args: [{ by: `${mark} person` }] });
    await install.result();
    const { bytes, payloads, unsealed } = await kept(harness.client, install.workflowId);
    expect(bytes.includes(mark)).toBe(false);
    expect(payloads).toBeGreaterThan(20);
    expect(unsealed).toBe(0);
    // What lists and filters need is not encrypted.
    expect(bytes.includes('IguanaPhase')).toBe(true);
    const machineId = install.workflowId.replace('install/', '');
    const timeline = JSON.stringify(await installTimeline(harness.client, machineId));
    for (const what of ['profile', 'failure', 'person']) expect(timeline).toContain(`${mark} ${what}`);
  });
});

it('is read after a rotation in the middle of an install, until the old key is removed', async () => {
  const { keys } = harness.keys;
  const input = { layers: [layer('site', 'destroys: everything')] };
  await harness.run(new Script(), input, async (install) => {
    await until(install, ({ phase }) => phase === 'approve');
    const { id: old } = await keys.current();
    const { id: young } = await keys.add(new Date());
    // Everything looks at the keys once in a second.
    await sleep(1_100);
    await install.executeUpdate(UPDATES.approve, { args: [{ by: 'ada' }] });
    await install.result();
    const { bytes, unsealed } = await kept(harness.client, install.workflowId);
    expect([unsealed, bytes.includes(old), bytes.includes(young)]).toEqual([0, true, true]);
    const machineId = install.workflowId.replace('install/', '');
    expect((await installTimeline(harness.client, machineId)).entries.length).toBeGreaterThan(5);
    await keys.remove(old);
    await sleep(1_100);
    await expect(installTimeline(harness.client, machineId)).rejects.toThrow(/Where the key was removed/);
  });
});

it('is closed to who has other keys, with an error that says what to do', async () => {
  await harness.run(new Script(), {}, async (install) => {
    await install.result();
    using stranger = new KeysFolder();
    await stranger.keys.current();
    const { connection } = harness.environment;
    const client = new Client({ connection, dataConverter: dataConverter(stranger) });
    const reading = () => installTimeline(client, install.workflowId.replace('install/', ''));
    await expect(reading()).rejects.toThrow(
      /its key "[0-9a-f]{16}" is not in .*keys\.json; copy that file from the host/,
    );
    await copyFile(harness.keys.keys.file, stranger.keys.file);
    expect((await reading()).entries.length).toBeGreaterThan(5);
  });
});
