import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../../activities/failures.ts';
import { buildWorkflowId, UPDATES } from '../../workflows/api.ts';
import { InstallHarness, until } from './install-harness.ts';
import { digestOf, layer, Script, untilCancelled } from './scripted-activities.ts';

let harness: InstallHarness;
beforeAll(async () => {
  harness = await InstallHarness.start();
});
afterAll(async () => {
  await harness.stop();
});

const machines = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

describe('one image for many machines', () => {
  it('is built once for twenty installs at once', async () => {
    const image = await new Script().activities.buildImage({} as never);
    const script = new Script({
      buildImage: async () => {
        await sleep(2000);
        return image;
      },
    });
    const ids = machines('twenty', 20);
    const layers = [layer('site', 'build: twenty')];
    await harness.withWorkers(script, ids, async () => {
      const installs = await Promise.all(ids.map((id) => harness.install(id, { layers })));
      const results = await Promise.all(installs.map((install) => install.result()));
      expect(results.map(({ outcome }) => outcome)).toEqual(ids.map(() => 'succeeded'));
    });
    expect(script.count('buildImage')).toBe(1);
  });

  it('tells everybody when it cannot be built', async () => {
    const script = new Script({
      buildImage: async () => {
        await sleep(1000);
        throw failure('PackageUnknown', 'building: no package vmi');
      },
    });
    const ids = machines('broken', 3);
    await harness.withWorkers(script, ids, async () => {
      const layers = [layer('site', 'build: broken')];
      const installs = await Promise.all(ids.map((id) => harness.install(id, { layers })));
      for (const install of installs) {
        const { attention } = await until(install, (s) => s.attention !== undefined);
        expect(attention).toMatchObject({
          phase: 'build',
          type: 'PackageUnknown',
          causes: ['building: no package vmi'],
        });
        expect(attention?.remedy).toContain('image.packages');
      }
      await Promise.all(installs.map((install) => install.terminate()));
    });
  });

  it('goes on while somebody waits, and stops when nobody does', async () => {
    const script = new Script({ buildImage: untilCancelled });
    const ids = machines('leaving', 2);
    const text = 'build: leaving';
    await harness.withWorkers(script, ids, async () => {
      const installs = await Promise.all(
        ids.map((id) => harness.install(id, { layers: [layer('site', text)] })),
      );
      const build = harness.client.workflow.getHandle(buildWorkflowId(digestOf('build leaving')));
      await Promise.all(installs.map((install) => until(install, (s) => s.phase === 'build')));
      await sleep(1000);
      const abort = { args: [{ by: 'ada', reason: 'no' }] as const };
      await installs[0]?.executeUpdate(UPDATES.abort, { args: [...abort.args] });
      await expect(installs[0]?.result()).rejects.toThrow();
      expect((await build.describe()).status.name).toBe('RUNNING');
      await installs[1]?.executeUpdate(UPDATES.abort, { args: [...abort.args] });
      await expect(installs[1]?.result()).rejects.toThrow();
      await expect(build.result()).rejects.toMatchObject({ cause: { type: 'BuildStopped' } });
    });
    expect(script.count('buildImage')).toBe(1);
  });
});
