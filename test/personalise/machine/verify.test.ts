/** Whatever is not as it shall be on the disk, verifying finds it, names it, and changes nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PersonaliseResult } from '../../../activities/contract.ts';
import { failureOf, useAgent } from '../../disk/harness/case.ts';
import { MANY_PARTITIONS } from '../harness/layouts.ts';
import { MachineCase } from '../harness/machine-case.ts';
import { storeSystem } from '../harness/system-image.ts';

const agent = useAgent();
let machine: MachineCase;
let result: PersonaliseResult;

beforeAll(async () => {
  const image = await storeSystem(agent(), {
    filesystem: 'ext4',
    sizeMiB: 300,
  });
  machine = MachineCase.create(agent(), {
    ...MANY_PARTITIONS,
    machine: { users: [{ name: 'alice' }] },
    image,
  });
  await machine.write();
  result = await machine.personalise();
  await machine.bootloader();
  await machine.keep();
});
afterAll(() => machine.release());

test('an install as it shall be: every file is counted, and no byte is changed', async () => {
  await machine.restore();
  const before = await agent().shell(`cksum < ${machine.path}`);
  const { files, bytes } = await machine.verify(result);
  await machine.release();
  expect(await agent().shell(`cksum < ${machine.path}`)).toBe(before);
  expect(files).toBeGreaterThan(3000);
  expect(bytes).toBeGreaterThan(50_000_000);
});

test.each([
  [
    'one bit of a file',
    'printf X | dd of=usr/bin/bash bs=1 seek=5000 conv=notrunc status=none',
    /\/usr\/bin\/bash: expected sha256:\w+, found sha256:/,
  ],
  ['permissions', 'chmod 4755 usr/bin/cat', /\/usr\/bin\/cat: expected mode 0755, found mode 4755/],
  [
    'an owner',
    'chown 1000 etc/debian_version',
    /\/etc\/debian_version: expected owner 0:0, found owner 1000:0/,
  ],
  ['a link', 'ln -sfn /elsewhere bin', /\/bin: expected link to usr\/bin, found link to \/elsewhere/],
  ['a type', 'rm etc/issue; mkdir etc/issue', /\/etc\/issue: expected file, found directory/],
  ['a file too many', 'touch usr/lib/extra', /\/usr\/lib\/extra: expected nothing, found file/],
  ['a file too few', 'rm etc/os-release', /\/etc\/os-release: expected symlink, found nothing/],
  [
    'a file on another partition',
    'echo x >> var/lib/dpkg/status',
    /\/var\/lib\/dpkg\/status: expected sha256/,
  ],
  ['what was personalised', 'echo mallory >> etc/passwd', /\/etc\/passwd: expected sha256/],
  ['a folder of a user', 'chmod 755 home/alice', /\/home\/alice: expected mode 0700, found mode 0755/],
  ['the list of changes', 'echo "{}" > etc/iguana/changes.json', /changes.json is not the list of changes/],
  [
    'something below a mount point',
    'umount home; touch home/hidden',
    /\/home\/hidden: expected nothing below the mount point/,
  ],
])('%s', async (_what, damage, message) => {
  await machine.restore();
  await machine.look(damage);
  const failure = await failureOf(machine.verify(result));
  expect(failure.message).toMatch(message);
  expect(failure.type).toBe('VerificationFailed');
});

test.each([
  [
    'a changed file',
    'echo x > /tmp/f; mcopy -o -i "$ESP" /tmp/f ::/loader/loader.conf',
    /ESP:loader\/loader.conf: expected sha256/,
  ],
  [
    'a file too many',
    'echo x > /tmp/f; mcopy -i "$ESP" /tmp/f ::/evil.efi',
    /ESP:evil.efi: expected nothing, found file/,
  ],
  [
    'a file too few',
    'mdel -i "$ESP" ::/EFI/BOOT/BOOTX64.EFI',
    /ESP:EFI\/BOOT\/BOOTX64.EFI: expected file, found nothing/,
  ],
])('on the ESP: %s', async (_what, damage, message) => {
  await machine.restore();
  await machine.lookAtEsp(damage);
  const failure = await failureOf(machine.verify(result));
  expect(failure.message).toMatch(message);
  expect(failure.type).toBe('VerificationFailed');
});

test('a damaged structure of a filesystem', async () => {
  await machine.restore();
  const root = machine.manifest.storage.partitions[1];
  await agent().shell(`debugfs -w -R 'clri /etc/hostname' '${machine.path}?offset=${root?.offsetBytes}'`);
  const failure = await failureOf(machine.verify(result));
  expect(failure.message).toMatch(/checking the ext4 on root of .*: e2fsck failed/);
  expect(failure.type).toBe('VerificationFailed');
});

test('only the first of many differences are told, with their number', async () => {
  await machine.restore();
  await machine.look('find usr/bin -type f -exec chmod g+w {} +');
  const failure = await failureOf(machine.verify(result));
  expect(failure.message).toMatch(/; \d+ more$/);
  expect(failure.details).toMatchObject({ context: { differences: { length: 10 } } });
});

test('changed behind the back of a filesystem that is cached: what is on the disk counts', async () => {
  await machine.restore();
  await machine.verify(result);
  // The agent has just read the file; the byte is changed in the image file below the attached loop device.
  const place = await machine.look('filefrag -b1024 -e usr/bin/bash | awk \'$1 == "0:" { print $4 }\'');
  const block = Number(place.replace(/\..*/, ''));
  const root = machine.manifest.storage.partitions[1];
  await machine.verify(result);
  const offset = (root?.offsetBytes ?? 0) + block * 1024 + 100;
  await agent().shell(`printf X | dd of=${machine.path} bs=1 seek=${offset} conv=notrunc,fsync status=none`);
  expect((await failureOf(machine.verify(result))).message).toMatch(/\/usr\/bin\/bash: expected sha256/);
});
