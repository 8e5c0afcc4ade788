/** Root filesystems other than ext4: their UUIDs, and the whole way to a verified disk. */
import { expect, test } from 'vitest';
import { useAgent } from '../../disk/harness/case.ts';
import { FULL_MACHINE } from '../harness/layouts.ts';
import { MachineCase } from '../harness/machine-case.ts';
import { storeSystem } from '../harness/system-image.ts';

/** For hanging, not for slowness: two whole disks. */
const TIMEOUT_MS = 600_000;

const agent = useAgent();
const MACHINE = { ...FULL_MACHINE, users: FULL_MACHINE.users.filter(({ name }) => name !== 'bob') };

test.each(['xfs', 'btrfs'] as const)('%s', { timeout: TIMEOUT_MS }, async (filesystem) => {
  const image = await storeSystem(agent(), { filesystem, sizeMiB: 300 });
  const machines = [1, 2].map(() =>
    MachineCase.create(agent(), {
      sizeMiB: 640,
      image,
      machine: MACHINE,
      partitions: [
        { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 128, mountPoint: '/efi' },
        { label: 'root', type: 'root', filesystem, sizeMiB: 500, mountPoint: '/' },
      ],
    }),
  );
  const uuids: string[] = [];
  for (const machine of machines) {
    await machine.write();
    const result = await machine.personalise();
    expect(await machine.personalise()).toEqual(result);
    await machine.bootloader();
    await machine.verify(result);
    const root = machine.manifest.storage.partitions[1];
    uuids.push(
      await agent().shell(
        `blkid -p -s UUID -o value --offset ${root?.offsetBytes} --size ${root?.sizeBytes} ${machine.path}`,
      ),
    );
    expect(await machine.look('cat etc/fstab')).toContain(`UUID=${uuids.at(-1)}\t/\t${filesystem}\t`);
  }
  expect(new Set(uuids).size).toBe(2);
  for (const machine of machines) await machine.release();
});
