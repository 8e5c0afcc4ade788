/** fstab, hosts, kernel command line and boot entries, computed. */
import { expect, test } from 'vitest';
import { loaderEntries } from '../../../activities/bootloader/loader-entry.ts';
import { renderFstab } from '../../../activities/personalise/fstab.ts';
import { checkHostName, renderHosts } from '../../../activities/personalise/host-name.ts';
import { parseInstall } from '../../../activities/personalise/units.ts';
import type { ManifestPartition } from '../../../manifest/schema/manifest.ts';
import { caseManifest } from '../../disk/harness/manifests.ts';

const partition = (
  filesystem: ManifestPartition['filesystem'],
  mountPoint?: string,
  mountOptions: string[] = [],
): ManifestPartition => ({
  label: 'x',
  type: 'linux-generic',
  offsetBytes: 1,
  sizeBytes: 1,
  filesystem,
  ...(mountPoint && { mountPoint }),
  mountOptions,
});

test('fstab: parents first, the root checked first, swap last, what is not mounted left out', () => {
  const text = renderFstab('', [
    { partition: partition('swap'), uuid: 'SWAP' },
    { partition: partition('ext4', '/var/log', ['noatime', 'nodev']), uuid: 'LOG' },
    { partition: partition('vfat', '/efi'), uuid: 'AB-12' },
    { partition: partition('ext4'), uuid: 'UNUSED' },
    { partition: partition('xfs', '/var'), uuid: 'VAR' },
    { partition: partition('ext4', '/'), uuid: 'ROOT' },
  ]);
  expect(text.split('\n').slice(1)).toEqual([
    'UUID=ROOT\t/\text4\tdefaults\t0\t1',
    'UUID=AB-12\t/efi\tvfat\tumask=0077\t0\t2',
    'UUID=VAR\t/var\txfs\tdefaults\t0\t0',
    'UUID=LOG\t/var/log\text4\tnoatime,nodev\t0\t2',
    'UUID=SWAP\tnone\tswap\tsw\t0\t0',
    '',
  ]);
});

test('fstab: other mounts of the image stay, its comments and what we mount there do not', () => {
  const image = '# UNCONFIGURED\ntmpfs /tmp tmpfs defaults 0 0\n/dev/sda1 / ext4 defaults 0 1\nbroken\n';
  const text = renderFstab(image, [{ partition: partition('ext4', '/'), uuid: 'ROOT' }]);
  expect(text).toContain('\ntmpfs /tmp tmpfs defaults 0 0\n');
  expect(text).not.toContain('sda1');
  expect(text).not.toContain('UNCONFIGURED');
});

test('fstab: white space in mount points is written as fstab(5) wants it', () => {
  const text = renderFstab('', [{ partition: partition('ext4', '/srv/my data'), uuid: 'U' }]);
  expect(text).toContain('\t/srv/my\\040data\t');
});

test.each([
  ['', 'web1', '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tweb1\n'],
  ['127.0.0.1 localhost\n127.0.1.1 old\n', 'a.b.example', '127.0.0.1 localhost\n127.0.1.1\ta.b.example a\n'],
])('hosts: %j for %s', (image, name, text) => {
  expect(renderHosts(image, name)).toBe(text);
});

test.each(['web1', 'a.b.c', 'X-1', 'a'.repeat(63)])('host name %s', (name) => {
  expect(() => checkHostName(name)).not.toThrow();
});
test.each(['', '-a', 'a-', 'a..b', 'a_b', 'ä', 'a'.repeat(64), '{machine.id}', `${'a.'.repeat(32)}a`])(
  'no host name: %j',
  (name) => {
    expect(() => checkHostName(name)).toThrow(/setting the host name/);
  },
);

test('[Install] of a unit: lists, several lines, nothing from other sections', () => {
  const text =
    '[Unit]\nAlias=no\n[Install]\nWantedBy=a.target b.target\nWantedBy = c.target\n# Also=x\nAlias=y.service\n';
  expect(parseInstall(text)).toEqual({
    wantedBy: ['a.target', 'b.target', 'c.target'],
    requiredBy: [],
    alias: ['y.service'],
    also: [],
  });
});

const manifest = caseManifest({ id: 'file:/x', sizeBytes: 1, sectorBytes: 512 }, []);

test('a boot entry for each kernel, named as kernel-install names them', () => {
  manifest.image.kernel.cmdline = ['console=ttyS0', 'quiet'];
  const files = ['EFI/BOOT/BOOTX64.EFI', 'tok/6.1/linux', 'tok/6.1/initrd.img', 'tok/6.2/linux'];
  const entries = loaderEntries(files, manifest, 'ROOT');
  expect(entries.map(({ path }) => path)).toEqual([
    'loader/entries/tok-6.1.conf',
    'loader/entries/tok-6.2.conf',
  ]);
  expect(entries[0]?.text).toContain('options    root=UUID=ROOT rw console=ttyS0 quiet\n');
  expect(entries[0]?.text).toContain('linux      /tok/6.1/linux\ninitrd     /tok/6.1/initrd.img\n');
  expect(entries[1]?.text).not.toContain('initrd');
});

test.each([
  ['no kernel', ['EFI/BOOT/BOOTX64.EFI'], /the image has no kernel/],
  ['no boot loader', ['tok/6.1/linux'], /the image has no EFI\/BOOT\/BOOTX64.EFI/],
])('%s is refused', (_what, files, message) => {
  expect(() => loaderEntries(files, manifest, 'ROOT')).toThrow(message);
});
