/** Only the disk that was planned for is written. */
import { expect, test } from 'vitest';
import { CASE_TIMEOUT_MS, failureOf, negativeCase, newCase, prepare, useAgent } from '../../harness/case.ts';
import { contentChecksum } from '../../harness/judge.ts';

const agent = useAgent();

const DISK = {
  sizeMiB: 256,
  partitions: [
    { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 64 },
    { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 100 },
  ],
} as const;

negativeCase('a file that has grown since it was planned for', agent, {
  disk: DISK,
  before: 'truncate --size 257M "$DISK"',
  failure: { type: 'DiskChanged', nonRetryable: true, message: /has 269484032 bytes, not the 268435456/ },
});

test('something else than a file', { timeout: CASE_TIMEOUT_MS }, async () => {
  const context = newCase(agent(), DISK);
  await prepare(context, 'rm "$DISK"; mkdir "$DISK"');
  const failure = await failureOf(context.partition());
  expect(failure).toMatchObject({ type: 'DiskChanged', nonRetryable: true });
  expect(failure.message).toContain('no regular file');
});

test('a file other than the planned one', { timeout: CASE_TIMEOUT_MS }, async () => {
  const planned = newCase(agent(), DISK);
  const other = newCase(agent(), DISK);
  await prepare(other);
  const before = await contentChecksum(other);
  const input = { ...other.step, manifest: planned.manifest, approved: [] };
  expect(await failureOf(agent().run('partition', input))).toMatchObject({
    type: 'DiskChanged',
    nonRetryable: true,
  });
  expect(await contentChecksum(other)).toBe(before);
});

test('a device that is not attached', { timeout: CASE_TIMEOUT_MS }, async () => {
  const { step, manifest } = newCase(agent(), DISK);
  const id = 'wwn:0x5000c500deadbeef';
  const disk = { ...manifest.storage.disk, id };
  const storage = { ...manifest.storage, disk };
  const target = { kind: 'device', id } as const;
  const input = { ...step, target, manifest: { ...manifest, storage }, approved: [] };
  const failure = await failureOf(agent().run('partition', input));
  expect(failure).toMatchObject({ type: 'DiskVanished', nonRetryable: false });
  expect(failure.message).toContain(id);
});
