import { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../../activities/failures.ts';
import type { DiskContent, Facts } from '../../manifest/schema/facts.ts';
import { PHASES, UPDATES } from '../../workflows/api.ts';
import { InstallHarness, status, until } from './install-harness.ts';
import { digestOf, layer, Script, untilCancelled } from './scripted-activities.ts';

let harness: InstallHarness;
beforeAll(async () => {
  harness = await InstallHarness.start();
});
afterAll(async () => {
  await harness.stop();
});

const attention = (s: { attention?: unknown }) => s.attention !== undefined;

const content = (type: string): DiskContent => ({ partition: 0, type });

/** Fails the first time, then answers. */
function failsOnce<T>(error: () => Error, answer: T): () => Promise<T> {
  let failed = false;
  return async () => {
    if (failed) return answer;
    failed = true;
    throw error();
  };
}

describe('an undisturbed install', () => {
  it('runs every phase once, in order, and succeeds', async () => {
    const script = new Script();
    await harness.run(script, {}, async (install) => {
      await expect(install.result()).resolves.toMatchObject({ outcome: 'succeeded' });
      const { phases, outcome } = await status(install);
      expect(outcome).toBe('succeeded');
      expect(phases.map(({ phase, state }) => `${phase} ${state}`)).toEqual(PHASES.map((p) => `${p} done`));
    });
    expect(script.calls).toEqual([
      'probe',
      'plan',
      'buildImage',
      'partition',
      'writeImage',
      'readBack',
      'growFilesystem',
      'personalise',
      'installBootloader',
      'verify',
      'release',
    ]);
  });
});

describe('consent', () => {
  it('is not asked for where nothing is destroyed', async () => {
    await harness.run(new Script(), {}, async (install) => {
      await install.result();
      expect((await status(install)).approval).toBeUndefined();
    });
  });

  it('waits for a person, and keeps who gave it and when', async () => {
    const script = new Script();
    await harness.run(script, { layers: [layer('site', 'destroys: old root')] }, async (install) => {
      const waiting = await until(install, (s) => s.awaitsApproval);
      expect(waiting.destroyed).toEqual([{ diskId: 'file:/disk.img', what: 'old root' }]);
      expect(script.count('partition')).toBe(0);
      await install.executeUpdate(UPDATES.approve, { args: [{ by: 'ada@host', reason: 'old machine' }] });
      await install.result();
      const { approval } = await status(install);
      expect(approval).toMatchObject({ by: 'ada@host', reason: 'old machine' });
      expect(Date.parse(approval?.at ?? '')).toBeGreaterThan(0);
    });
  });

  it('can be given beforehand, by name', async () => {
    const input = { layers: [layer('site', 'destroys: x')], approval: { by: 'ada', reason: '--yes' } };
    await harness.run(new Script(), input, async (install) => {
      await install.result();
      expect((await status(install)).approval).toMatchObject({ by: 'ada', reason: '--yes' });
    });
  });

  it('is refused before it is asked for, and from nobody', async () => {
    const script = new Script({ probe: untilCancelled });
    await harness.run(script, {}, async (install) => {
      await expect(install.executeUpdate(UPDATES.approve, { args: [{ by: 'ada' }] })).rejects.toMatchObject({
        cause: { message: 'nothing waits for approval' },
      });
      await expect(install.executeUpdate(UPDATES.approve, { args: [{ by: '' }] })).rejects.toMatchObject({
        cause: { message: expect.stringContaining('who you are') },
      });
      await install.terminate();
    });
  });
});

describe('a failure that trying again cannot mend', () => {
  const full = () => failure('StoreFull', 'writing the image: no space', { cause: new Error('ENOSPC') });

  it('stands with cause and remedy until somebody retries', async () => {
    const script = new Script({
      writeImage: failsOnce(full, { writtenBytes: 1, reusedBytes: 0, skippedBytes: 0 }),
    });
    await harness.run(script, {}, async (install) => {
      const { attention: shown, phase } = await until(install, attention);
      expect(phase).toBe('needs-attention');
      expect(shown).toMatchObject({
        phase: 'write',
        type: 'StoreFull',
        causes: ['writing the image: no space', 'ENOSPC'],
        remedy: expect.stringContaining('iguana image gc'),
        canSkip: false,
      });
      await install.executeUpdate(UPDATES.retry, { args: [{ by: 'ada' }] });
      await expect(install.result()).resolves.toMatchObject({ outcome: 'succeeded' });
    });
    expect(script.count('writeImage')).toBe(2);
    expect(script.count('buildImage')).toBe(1);
    expect(script.count('partition')).toBe(1);
  });

  it('probes again when planning is retried: what was in the way may be gone', async () => {
    let planned = 0;
    const base = new Script();
    const script = new Script({
      plan: async (input) => {
        planned += 1;
        if (planned === 1) throw failure('DiskInUse', 'planning: the disk is mounted');
        return await base.activities.plan(input);
      },
    });
    await harness.run(script, {}, async (install) => {
      await until(install, attention);
      await install.executeUpdate(UPDATES.retry, { args: [{ by: 'ada' }] });
      await install.result();
    });
    expect(script.count('probe')).toBe(2);
  });

  it('does again only what an amended answer changes', async () => {
    const script = new Script({
      installBootloader: failsOnce(() => failure('BootloaderFailed', 'no kernel'), { entry: 'debian.conf' }),
    });
    await harness.run(script, { layers: [layer('site', 'personalise: a')] }, async (install) => {
      await until(install, attention);
      await install.executeUpdate(UPDATES.amend, {
        args: [{ by: 'ada', layer: layer('site', 'personalise: b') }],
      });
      await install.result();
    });
    for (const once of ['probe', 'buildImage', 'partition', 'writeImage'] as const)
      expect(script.count(once)).toBe(1);
    for (const twice of ['plan', 'personalise', 'installBootloader'] as const) {
      expect(script.count(twice)).toBe(2);
    }
  });

  it('builds again when the image was lost, and writes again what the disk did not keep', async () => {
    const script = new Script({
      personalise: failsOnce(() => failure('ImageMissing', 'reading the list of files'), {
        changedDigest: digestOf('c'),
        changedCount: 1,
      }),
      verify: failsOnce(() => failure('VerificationFailed', 'verifying: differs'), { files: 1, bytes: 1 }),
    });
    await harness.run(script, {}, async (install) => {
      await until(install, (s) => s.attention?.type === 'ImageMissing');
      await install.executeUpdate(UPDATES.retry, { args: [{ by: 'ada' }] });
      await until(install, (s) => s.attention?.type === 'VerificationFailed');
      await install.executeUpdate(UPDATES.retry, { args: [{ by: 'ada' }] });
      await install.result();
    });
    expect(script.count('buildImage')).toBe(2);
    expect(script.count('writeImage')).toBe(3);
    expect(script.count('partition')).toBe(1);
  });

  it('asks again for approval when something else is on the disk than what was approved', async () => {
    const asked: (readonly DiskContent[])[] = [];
    const found = [content('ext4'), content('btrfs')];
    let probed = 0;
    const base = new Script();
    const script = new Script({
      probe: async (input) => {
        const facts = await base.activities.probe(input);
        const disk = { id: 'file:/disk.img', contents: [found[probed++] ?? content('swap')] };
        return { ...facts, disks: [disk] } as Facts;
      },
      plan: async (input) => {
        const contents = input.facts.disks.flatMap((disk) => disk.contents);
        const planned = await base.activities.plan(input);
        return {
          ...planned,
          destroyed: contents.map(({ type }) => ({ diskId: 'file:/disk.img', what: type })),
        };
      },
      partition: async ({ approved }) => {
        asked.push(approved);
        if (approved[0]?.type === 'ext4') throw failure('DiskHasData', 'partitioning: it holds btrfs');
        return { changed: true };
      },
    });
    await harness.run(script, {}, async (install) => {
      for (const what of ['ext4', 'btrfs']) {
        await until(install, (s) => s.awaitsApproval && s.destroyed[0]?.what === what);
        await install.executeUpdate(UPDATES.approve, { args: [{ by: 'ada' }] });
        if (what === 'btrfs') break;
        await until(install, (s) => s.attention?.type === 'DiskHasData');
        await install.executeUpdate(UPDATES.retry, { args: [{ by: 'ada' }] });
      }
      await install.result();
    });
    expect(asked).toEqual(found.map((it) => [it]));
    expect(script.count('buildImage')).toBe(1);
  });

  it('refuses an amended layer that is wrong, and stands as before', async () => {
    const script = new Script({
      personalise: failsOnce(() => failure('PersonaliseFailed', 'writing users: no such group'), {
        changedDigest: digestOf('c'),
        changedCount: 1,
      }),
      checkLayers: async () => {
        throw failure('ProfileInvalid', 'site:3:5: machine.users[0].name: not a user name');
      },
    });
    await harness.run(script, {}, async (install) => {
      await until(install, attention);
      const amended = install.executeUpdate(UPDATES.amend, {
        args: [{ by: 'ada', layer: layer('site', 'x: y') }],
      });
      await expect(amended).rejects.toMatchObject({ cause: { cause: { type: 'ProfileInvalid' } } });
      expect(attention(await status(install))).toBe(true);
      await install.executeUpdate(UPDATES.retry, { args: [{ by: 'ada' }] });
      await install.result();
    });
    expect(script.count('plan')).toBe(1);
  });

  it('is not skipped where the disk would not be sound', async () => {
    const script = new Script({
      personalise: async () => {
        throw failure('PersonaliseFailed', 'writing users');
      },
    });
    await harness.run(script, {}, async (install) => {
      await until(install, attention);
      await expect(
        install.executeUpdate(UPDATES.skip, { args: [{ by: 'ada', reason: 'hurry' }] }),
      ).rejects.toMatchObject({ cause: { message: expect.stringContaining('cannot be skipped') } });
      await install.terminate();
    });
  });

  it('ends as timed-out when nobody answers, with nothing left behind', async () => {
    const script = new Script({
      partition: async () => {
        throw failure('PartitioningFailed', 'partitioning');
      },
    });
    await harness.run(script, { attentionTimeoutSeconds: 1 }, async (install) => {
      await expect(install.result()).rejects.toBeInstanceOf(WorkflowFailedError);
      expect((await status(install)).outcome).toBe('timed-out');
    });
    expect(script.calls.at(-1)).toBe('release');
  });
});

describe('stopping', () => {
  it('aborts when told to, says by whom, and releases the disk', async () => {
    const script = new Script({ writeImage: untilCancelled });
    await harness.run(script, {}, async (install) => {
      await until(install, (s) => s.phase === 'write');
      await install.executeUpdate(UPDATES.abort, { args: [{ by: 'ada', reason: 'wrong machine' }] });
      await expect(install.result()).rejects.toMatchObject({
        cause: { type: 'InstallAborted', message: 'aborted by ada: wrong machine' },
      });
      expect((await status(install)).outcome).toBe('aborted');
    });
    expect(script.calls.at(-1)).toBe('release');
  });

  it('is cancelled by Temporal, and releases the disk', async () => {
    const script = new Script({ writeImage: untilCancelled });
    await harness.run(script, {}, async (install) => {
      await until(install, (s) => s.phase === 'write');
      await install.cancel();
      await expect(install.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
      expect((await status(install)).outcome).toBe('cancelled');
    });
    expect(script.calls.at(-1)).toBe('release');
  });

  it('also from needs-attention', async () => {
    const script = new Script({
      plan: async () => {
        throw failure('NoDisk', 'planning: no disk');
      },
    });
    await harness.run(script, {}, async (install) => {
      await until(install, attention);
      await install.executeUpdate(UPDATES.abort, { args: [{ by: 'ada', reason: 'no' }] });
      await expect(install.result()).rejects.toMatchObject({ cause: { type: 'InstallAborted' } });
    });
  });
});
