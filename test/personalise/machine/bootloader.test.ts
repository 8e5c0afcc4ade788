/** The ESP, judged by mtools and fsck.fat. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failureOf, useAgent } from '../../disk/harness/case.ts';
import { TWO_PARTITIONS } from '../harness/layouts.ts';
import { MachineCase } from '../harness/machine-case.ts';
import { storeSystem } from '../harness/system-image.ts';

const agent = useAgent();
let machine: MachineCase;

beforeAll(async () => {
  const image = await storeSystem(agent(), { filesystem: 'ext4', sizeMiB: 300 });
  machine = MachineCase.create(agent(), { ...TWO_PARTITIONS, image });
  await machine.write();
  await machine.personalise();
});
afterAll(() => machine.release());

/** Puts the ESP out of order and sees it put right. */
test.each([
  ['that is empty', 'true'],
  ['that has all of it', 'true'],
  [
    'with an entry of another install',
    'echo old > /tmp/f; mcopy -o -i "$ESP" /tmp/f ::/loader/entries/old.conf',
  ],
  [
    'with a damaged kernel',
    'K=$(mdir -/ -b -i "$ESP" :: | grep linux$); echo x > /tmp/f; mcopy -o -i "$ESP" /tmp/f $K',
  ],
  [
    'with a kernel of an earlier image',
    'mmd -i "$ESP" ::/iguana-test/1.0; echo x > /tmp/f; mcopy -i "$ESP" /tmp/f ::/iguana-test/1.0/linux',
  ],
  ['whose loader was never given its name', 'mren -i "$ESP" ::/EFI/BOOT/BOOTX64.EFI BOOTX64.NEW'],
])('an ESP %s', async (_what, script) => {
  await machine.lookAtEsp(script);
  const { entry } = await machine.bootloader();
  const listing = await machine.lookAtEsp('mdir -/ -b -i "$ESP" :: | grep -v "/$"');
  const version = /entries\/iguana-test-(.*)\.conf/.exec(entry)?.[1];
  expect(listing.split('\n').sort()).toEqual([
    '::/EFI/BOOT/BOOTX64.EFI',
    '::/EFI/systemd/systemd-bootx64.efi',
    `::/iguana-test/${version}/initrd.img`,
    `::/iguana-test/${version}/linux`,
    '::/loader/entries.srel',
    `::/${entry}`,
    '::/loader/loader.conf',
  ]);
  const root = machine.manifest.storage.partitions[1];
  const uuid = await agent().shell(
    `blkid -p -s UUID -o value --offset ${root?.offsetBytes} --size ${root?.sizeBytes} ${machine.path}`,
  );
  expect(await machine.lookAtEsp(`mtype -i "$ESP" ::/${entry}`)).toBe(
    [
      'title      debian trixie',
      `version    ${version}`,
      'sort-key   debian',
      `options    root=UUID=${uuid} rw`,
      `linux      /iguana-test/${version}/linux`,
      `initrd     /iguana-test/${version}/initrd.img`,
    ].join('\n'),
  );
  // What the image has and what is on the ESP, by other tools than ours.
  const archive = `${agent().folder}/state/store/blobs/sha256/${machine.image.espDigest.slice(7)}`;
  const sums = await machine.lookAtEsp(`
    D=$(mktemp -d); mkdir $D/a $D/b
    tar --extract --directory $D/a --file ${archive}
    mcopy -s -n -i "$ESP" ::/ $D/b
    rm -r $D/b/loader/entries
    diff -r $D/a $D/b && echo same
    dd if=${machine.path} of=$D/esp bs=1M skip=1 count=128 status=none; fsck.fat -n $D/esp > $D/fsck || cat $D/fsck
    rm -r $D
  `);
  expect(sums).toBe('same');
});

test('an ESP that is too small: refused with the sizes, and not bootable', async () => {
  const small = MachineCase.create(agent(), {
    sizeMiB: 800,
    image: machine.image,
    partitions: [
      { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 24, mountPoint: '/efi' },
      { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 720, mountPoint: '/' },
    ],
  });
  await small.write();
  await small.personalise();
  const failure = await failureOf(small.bootloader());
  expect(failure).toMatchObject({ type: 'BootloaderFailed', nonRetryable: true });
  expect(failure.message).toMatch(/its files have \d+ bytes, and the ESP of 25165824 bytes is too small/);
  expect(await small.lookAtEsp('mdir -/ -b -i "$ESP" ::')).not.toContain('BOOTX64.EFI');
  await small.release();
});

test('an archive that is not the image’s is not used', async () => {
  const blob = `${agent().folder}/state/store/blobs/sha256/${machine.image.espDigest.slice(7)}`;
  await agent().shell(
    `cp ${blob} ${blob}.kept; printf x | dd of=${blob} bs=1 seek=5000 conv=notrunc status=none`,
  );
  expect(await failureOf(machine.bootloader())).toMatchObject({ type: 'ImageCorrupt' });
  await agent().shell(`rm ${blob}`);
  expect(await failureOf(machine.bootloader())).toMatchObject({ type: 'ImageMissing' });
  await agent().shell(`mv ${blob}.kept ${blob}`);
});
