/** A machine without a store: its image comes from a web server, and every step finds there what it needs. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { imageBlob } from '../../../../activities/images/image-blob.ts';
import { servedLibrary } from '../../../../activities/images/served-library.ts';
import { digestOfFile } from '../../../../image/digest.ts';
import { folderWith } from '../../../image/servers/folder.ts';
import { startNginx } from '../../../image/servers/nginx.ts';
import { Agent } from '../../harness/agent.ts';
import { CASE_TIMEOUT_MS, failureOf, newCase, prepare, rootOf, useAgent } from '../../harness/case.ts';
import { storeImage, storeOf } from '../../harness/images.ts';
import { onPartition } from '../../harness/judge.ts';
import { MIB } from '../../harness/manifests.ts';

const agent = useAgent();

test('is written, read back, and its files are fetched', { timeout: CASE_TIMEOUT_MS }, async () => {
  const image = await storeImage(agent(), { filesystem: 'ext4', sizeMiB: 320, noiseMiB: 30 });
  const folder = folderWith();
  await cp(join(agent().folder, 'state/store'), folder, { recursive: true });
  const { url } = await startNginx(folder);
  const machine = await Agent.create({ IGUANA_IMAGES: `${url}/.` });
  try {
    const context = newCase(machine, {
      sizeMiB: 430,
      partitions: [
        { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
        { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 360 },
      ],
    });
    await prepare(context);
    await context.partition();
    const step = { ...context.step, image: image.ref };
    expect((await machine.run('writeImage', step)).writtenBytes).toBeGreaterThan(30 * MIB);
    expect(await machine.run('readBack', step)).toEqual({ bytes: 320 * MIB });
    const raw = join(machine.folder, 'image.raw');
    await cp(image.path, raw);
    await onPartition(machine, context.path, rootOf(context), `cmp --bytes ${320 * MIB} "$PART" ${raw}`);
    const missing = { ...step, image: { ...image.ref, rootDigest: `sha256:${'1'.repeat(64)}` as const } };
    expect(await failureOf(machine.run('writeImage', missing))).toMatchObject({ type: 'ImageMissing' });
    await machine.run('release', context.step);
  } finally {
    await machine.dispose();
  }
});

test('gives files that belong to the image, verified, and fetches each once', {
  timeout: CASE_TIMEOUT_MS,
}, async () => {
  const { ref } = await storeImage(agent(), { filesystem: 'ext4', sizeMiB: 64, noiseMiB: 1 });
  const folder = folderWith();
  await cp(join(agent().folder, 'state/store'), folder, { recursive: true });
  const server = await startNginx(folder);
  const library = servedLibrary({ url: `${server.url}/.`, folder: folderWith() });
  const path = await imageBlob(library, ref, 'esp');
  expect(await digestOfFile(path)).toBe(ref.espDigest);
  expect(await imageBlob(library, ref, 'esp')).toBe(path);
  expect(storeOf(agent()).blobPath(ref.espDigest)).not.toBe(path);
  await expect(imageBlob(library, { ...ref, espDigest: `sha256:${'2'.repeat(64)}` }, 'esp')).rejects.toThrow(
    /the image does not have it/,
  );
});
