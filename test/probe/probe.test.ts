/** The probe in the agent container, on this machine and on disk images. */
import { expect, test } from 'vitest';
import { factsSchema } from '../../manifest/schema/facts.ts';
import { CASE_TIMEOUT_MS, failureOf, newCase, prepare, useAgent } from '../disk/harness/case.ts';
import { MIB } from '../disk/harness/manifests.ts';

const agent = useAgent();
const DISK = { sizeMiB: 128, partitions: [] };

test('this machine, twice the same, nothing attached', { timeout: CASE_TIMEOUT_MS }, async () => {
  const input = { machineId: 'here', installId: 'install/1', target: { kind: 'machine' } } as const;
  const facts = factsSchema.parse(await agent().run('probe', input));
  expect(await agent().run('probe', input)).toEqual(facts);
  expect(facts.machine.id).toBe('here');
  const names = await agent().shell(
    'lsblk --nodeps --noheadings --output NAME,TYPE | grep " disk$" | grep -v zram || true',
  );
  expect(facts.disks).toHaveLength(names.split('\n').filter((line) => line !== '').length);
  expect(new Set(facts.disks.map(({ id }) => id)).size).toBe(facts.disks.length);
  for (const { id } of facts.disks) expect(id).toMatch(/^(wwn|serial|path):./);
  expect(facts.network.map(({ name }) => name)).not.toContain('lo');
});

test('a disk image that does not exist is an empty disk, and still does not exist', {
  timeout: CASE_TIMEOUT_MS,
}, async () => {
  const { path, step } = newCase(agent(), DISK);
  const facts = await agent().run('probe', { machineId: 'm', installId: 'install/1', target: step.target });
  expect(facts.disks).toEqual([
    expect.objectContaining({
      id: `file:${path}`,
      sizeBytes: 128 * MIB,
      transport: 'file',
      contents: [],
      holders: [],
    }),
  ]);
  expect(facts).toMatchObject({
    machine: { id: 'm' },
    firmware: { type: 'uefi', basis: 'assumed' },
    network: [],
    tpm: { present: false },
  });
  expect(await agent().shell(`ls -A ${agent().folder} | grep -F .img || true`)).toBe('');
});

test('what is on a disk image is named, partition by partition', { timeout: CASE_TIMEOUT_MS }, async () => {
  const context = newCase(agent(), DISK);
  await prepare(
    context,
    `printf 'size=32M, name=photos\\nsize=16M, name=paging\\nsize=16M, name=raw\\nsize=16M, name=free\\n' |
       sfdisk --quiet --label gpt "$DISK"
     mkfs.ext4 -q -L Fotos -E offset=$((1 << 20)) "$DISK" 32M
     truncate --size 16M "$DISK.swap"; mkswap -q "$DISK.swap"
     dd if="$DISK.swap" of="$DISK" bs=1M seek=33 conv=notrunc status=none; rm "$DISK.swap"
     printf x | dd of="$DISK" bs=1M seek=49 conv=notrunc status=none`,
  );
  const input = {
    machineId: 'm',
    installId: 'install/1',
    target: context.step.target,
    assumeFirmware: 'bios',
  } as const;
  const facts = await agent().run('probe', input);
  expect(await agent().run('probe', input)).toEqual(facts);
  expect(facts.firmware).toEqual({ type: 'bios', basis: 'assumed' });
  expect(facts.disks[0]?.contents).toEqual([
    { partition: 0, type: 'gpt', sizeBytes: 128 * MIB },
    { partition: 1, type: 'ext4', label: 'Fotos', uuid: expect.any(String), sizeBytes: 32 * MIB },
    { partition: 2, type: 'swap', label: 'paging', uuid: expect.any(String), sizeBytes: 16 * MIB },
    { partition: 3, type: 'unknown', label: 'raw', sizeBytes: 16 * MIB },
    { partition: 4, type: 'empty', label: 'free', sizeBytes: 16 * MIB },
  ]);
});

test('a disk image of another size is refused', { timeout: CASE_TIMEOUT_MS }, async () => {
  const context = newCase(agent(), DISK);
  await prepare(context, 'truncate --size 64M "$DISK"');
  const failure = await failureOf(
    agent().run('probe', { machineId: 'm', installId: 'install/1', target: context.step.target }),
  );
  expect(failure).toMatchObject({ type: 'DiskChanged', nonRetryable: true });
});

test('a device that is not attached is named with those that are', { timeout: CASE_TIMEOUT_MS }, async () => {
  const target = { kind: 'device', id: 'wwn:0x5000c500deadbeef' } as const;
  const failure = await failureOf(agent().run('probe', { machineId: 'm', installId: 'install/1', target }));
  expect(failure).toMatchObject({ type: 'NoDisk', nonRetryable: true });
  expect(failure.details).toMatchObject({ context: { attached: expect.any(Array) } });
});

test('an unfinished install is data to another one', { timeout: CASE_TIMEOUT_MS }, async () => {
  const context = newCase(agent(), DISK);
  await prepare(
    context,
    'printf iguana | dd of="$DISK" bs=1 seek=$(((1 << 20) - 4096)) conv=notrunc status=none',
  );
  const facts = await agent().run('probe', {
    machineId: 'm',
    installId: 'install/1',
    target: context.step.target,
  });
  expect(facts.disks[0]?.contents).toEqual([{ partition: 0, type: 'unknown', sizeBytes: 128 * MIB }]);
});
