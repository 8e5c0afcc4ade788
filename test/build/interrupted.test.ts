/** Builds that are cancelled or killed: nothing is left running, and the next attempt finishes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { removeLeftBuilds } from '../../activities/build/index.ts';
import { openEngine } from '../../host/engine/open.ts';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import { ImageStore } from '../../store/store.ts';
import { type Builder, imageOf, makeBuilder } from './harness/images.ts';
import { leftovers } from './harness/leftovers.ts';

const CHILD = join(import.meta.dirname, 'harness/build-child.ts');

// A build takes half a minute, and many times that where the machine is busy: a limit for what hangs.
vi.setConfig({ testTimeout: 1_800_000 });

let builder: Builder;
beforeAll(async () => {
  builder = await makeBuilder();
});
afterAll(() => builder.remove());

/** Builds in a process of its own and kills that as soon as a step has begun. */
async function buildAndKill(image: ManifestImage, step: string): Promise<void> {
  const file = join(builder.paths.root, 'image.json');
  await mkdir(builder.paths.root, { recursive: true });
  await writeFile(file, JSON.stringify(image));
  const child = spawn(process.execPath, [CHILD, builder.paths.root, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const steps: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    steps.push(line);
    if (line === `step ${step}`) child.kill('SIGKILL');
  }
  expect([...(await ended), steps.at(-1)]).toEqual([null, 'SIGKILL', `step ${step}`]);
}

describe('a killed worker', () => {
  it('is followed by one that finishes, whatever the step, with the same image', async () => {
    const image = await imageOf();
    for (const step of ['packages', 'initrd', 'filesystem', 'store']) {
      await buildAndKill(image, step);
      expect(await new ImageStore(builder.paths.store).list()).toEqual([]);
    }
    const ref = await builder.build(image);
    expect(await leftovers(builder.paths)).toEqual([]);
    const undisturbed = await makeBuilder();
    try {
      expect(await undisturbed.build(image)).toEqual(ref);
    } finally {
      await undisturbed.remove();
    }
    // Blobs that a killed attempt put are those of the image, or garbage that a collection finds.
    expect((await readdir(join(builder.paths.store, 'blobs/sha256'))).length).toBeGreaterThanOrEqual(5);
  });
});

it('leaves nothing once another worker has started, also where nobody builds the image any more', async () => {
  await buildAndKill(await imageOf({ revision: 'left' }), 'packages');
  expect(await leftovers(builder.paths)).not.toEqual([]);
  const engine = await openEngine(builder.paths);
  // The kernel gives the killed worker's lock back when its flock(1) has ended.
  await vi.waitFor(async () => {
    await removeLeftBuilds(builder.paths, engine);
    expect(await leftovers(builder.paths)).toEqual([]);
  }, 60_000);
});

describe('a cancelled build', () => {
  it.each(['packages', 'initrd', 'filesystem'])('stops in step %s and leaves nothing', async (step) => {
    const image = await imageOf({ revision: `cancelled in ${step}` });
    const cancel = new AbortController();
    const building = builder.build(image, {
      signal: cancel.signal,
      onProgress: (progress) => {
        if (progress.step === step) cancel.abort();
      },
    });
    await expect(building).rejects.toBeInstanceOf(CancelledFailure);
    expect(await leftovers(builder.paths)).toEqual([]);
  });

  it('stops waiting for another build of the same image, which goes on', async () => {
    const image = await imageOf({ revision: 'waiting' });
    const cancel = new AbortController();
    const begun = Promise.withResolvers<void>();
    const first = builder.build(image, {
      onProgress: ({ step }) => {
        if (step === 'packages') begun.resolve();
      },
    });
    await begun.promise;
    const second = builder.build(image, { signal: cancel.signal });
    cancel.abort();
    await expect(second).rejects.toBeInstanceOf(CancelledFailure);
    expect((await first).packageCount).toBeGreaterThan(50);
  });
});
