/** One image with everything that a manifest can ask for, judged by mounting, fsck, tar and dpkg. */
import { createHash } from 'node:crypto';
import { copyFile, lstat, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageRef, Progress } from '../../activities/contract.ts';
import { digestOf } from '../../manifest/digest.ts';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import { readFileList } from '../../store/file-list.ts';
import type { ImageRecord } from '../../store/image-record.ts';
import { ImageStore } from '../../store/store.ts';
import { type Builder, imageOf, makeBuilder } from './harness/images.ts';
import { leftovers } from './harness/leftovers.ts';
import { mounted } from './harness/mounted.ts';
import { rootFile } from './harness/root-file.ts';

const script = (mirror: string): string => `#!/bin/sh
set -e
id -u >/etc/who-ran-it
getent hosts ${new URL(mirror).hostname}
echo "epoch $SOURCE_DATE_EPOCH"
dpkg-query --show systemd
`;

let builder: Builder;
let image: ManifestImage;
let ref: ImageRef;
let record: ImageRecord;
let store: ImageStore;
const progress: Progress[] = [];

let root: Awaited<ReturnType<typeof rootFile>>;

const blob = (name: 'esp' | 'files' | 'sbom'): string => store.blobPath(record[name].digest);

const withoutTime = ({ createdAt: _, ...rest }: ImageRecord): object => rest;

beforeAll(async () => {
  const base = await imageOf();
  image = await imageOf({
    packages: [...base.packages, 'openssh-server'],
    locale: 'de_DE.UTF-8',
    keyboard: 'de-nodeadkeys',
    timezone: 'Europe/Berlin',
    files: [
      {
        path: '/etc/motd',
        content: 'grüß dich\n',
        encoding: 'text',
        mode: '0644',
        owner: 'root',
        group: 'root',
      },
      {
        path: '/srv/deep/er/blob',
        content: '/wAB',
        encoding: 'base64',
        mode: '4750',
        owner: 'sshd',
        group: '4',
      },
      {
        path: '/etc/a "name" with $x',
        content: '',
        encoding: 'text',
        mode: '600',
        owner: 'root',
        group: 'root',
      },
      {
        path: '/etc/systemd/system/own.service',
        content: '[Service]\nExecStart=true\n[Install]\nWantedBy=multi-user.target\n',
        encoding: 'text',
        mode: '0644',
        owner: 'root',
        group: 'root',
      },
    ],
    services: [
      { name: 'own', state: 'enabled' },
      { name: 'ssh.service', state: 'disabled' },
      { name: 'apt-daily.timer', state: 'masked' },
    ],
    scripts: [{ name: 'who', content: script(base.repositories[0]?.uri ?? '') }],
  });
  builder = await makeBuilder();
  store = new ImageStore(builder.paths.store);
  ref = await builder.build(image, { onProgress: (report) => progress.push(report) });
  const found = await store.find(ref.imageDigest);
  if (!found) throw new Error('the store does not find what was built');
  record = found;
  root = await rootFile(store, record);
});
afterAll(async () => {
  await rm(root.folder, { recursive: true });
  await builder.remove();
});

describe('the store', () => {
  it('has what the activity answered, under the digest of the manifest', () => {
    expect(ref).toMatchObject({
      imageDigest: digestOf(image),
      rootDigest: record.image.digest,
      rootBytes: record.rootBytes,
      espDigest: record.esp.digest,
    });
    expect(ref.rootBytes % (4 * 2 ** 20)).toBe(0);
    expect(ref.dataBytes).toBeLessThan(ref.rootBytes);
  });

  it('answers the same image without building', async () => {
    const again: Progress[] = [];
    expect(await builder.build(image, { onProgress: (report) => again.push(report) })).toEqual(ref);
    expect(again).toEqual([]);
  });

  it('keeps nothing of the work', async () => {
    expect(await leftovers(builder.paths)).toEqual([]);
  });

  it('was told about each step, with what the tools said', async () => {
    const steps = new Set(progress.map(({ step }) => step));
    expect([...steps]).toEqual(
      expect.arrayContaining(['packages', 'scripts', 'initrd', 'filesystem', 'store']),
    );
    expect(
      progress.some(({ step, message }) => step === 'packages' && message?.startsWith('Unpacking')),
    ).toBe(true);
    const [name = ''] = await readdir(builder.paths.logs);
    const log = await readFile(join(builder.paths.logs, name), 'utf8');
    expect(log).toContain(`who: epoch ${image.sourceDateEpoch}\n`);
    expect(log).toMatch(/^who: systemd\t257/m);
  });
});

describe('the root filesystem', () => {
  it('is a clean ext4 that keeps its identity in the superblock and has room for names', async () => {
    await execa('e2fsck', ['-f', '-n', root.path]);
    const { stdout } = await execa('dumpe2fs', ['-h', root.path]);
    expect(stdout).toMatch(/features:.* 64bit .*metadata_csum_seed.* metadata_csum/);
    expect(stdout).toMatch(/Filesystem created:.*2025/);
  });

  it('grows to a thousand times its size, with inodes for as many files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'iguana-grow-'));
    try {
      const copy = join(folder, 'root.img');
      await copyFile(root.path, copy);
      await execa('truncate', ['--size', '800G', copy]);
      await execa('resize2fs', [copy]);
      await execa('e2fsck', ['-f', '-n', copy]);
      const { stdout } = await execa('dumpe2fs', ['-h', copy]);
      expect(Number(/Inode count:\s+(\d+)/.exec(stdout)?.[1])).toBeGreaterThan(20_000_000);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('holds files, services, locale, keyboard and time zone as the manifest says', async () => {
    await mounted(root.path, async (root) => {
      const text = (path: string): Promise<string> => readFile(join(root, path), 'utf8');
      expect(await text('etc/motd')).toBe('grüß dich\n');
      expect(await text('etc/a "name" with $x')).toBe('');
      expect((await stat(join(root, 'etc/a "name" with $x'))).mode & 0o7777).toBe(0o600);
      const deep = await stat(join(root, 'srv/deep/er/blob'));
      const sshd = Number(/^sshd:x:(\d+):/m.exec(await text('etc/passwd'))?.[1]);
      expect({ mode: deep.mode & 0o7777, uid: deep.uid, gid: deep.gid }).toEqual({
        mode: 0o4750,
        uid: sshd,
        gid: 4,
      });
      expect(await readFile(join(root, 'srv/deep/er/blob'))).toEqual(Buffer.from([0xff, 0, 1]));
      const units = await readdir(join(root, 'etc/systemd/system/multi-user.target.wants'));
      expect(units).toContain('own.service');
      expect(units).not.toContain('ssh.service');
      expect(await readlink(join(root, 'etc/systemd/system/apt-daily.timer'))).toBe('/dev/null');
      expect(await text('etc/who-ran-it')).toBe('0\n');
      expect(await text('etc/locale.conf')).toBe('LANG=de_DE.UTF-8\n');
      const { stdout } = await execa('chroot', [root, 'locale', '-a']);
      expect(stdout.split('\n')).toContain('de_DE.utf8');
      expect(await text('etc/default/keyboard')).toMatch(/XKBLAYOUT="?de"?\nXKBVARIANT="?nodeadkeys"?\n/);
      expect(await readlink(join(root, 'etc/localtime'))).toBe('/usr/share/zoneinfo/Europe/Berlin');
    });
  });

  it('holds nothing of one machine or one build', async () => {
    await mounted(root.path, async (root) => {
      expect(await readFile(join(root, 'etc/machine-id'), 'utf8')).toBe('');
      const absent = [
        'etc/hostname',
        'var/lib/systemd/random-seed',
        'var/lib/dbus/machine-id',
        'etc/apt/sources.list',
      ];
      for (const path of absent) await expect(lstat(join(root, path))).rejects.toThrow('ENOENT');
      expect((await readdir(join(root, 'etc/ssh'))).filter((name) => name.startsWith('ssh_host_'))).toEqual(
        [],
      );
      for (const folder of ['var/lib/apt/lists', 'dev', 'run', 'tmp', 'var/tmp'])
        expect(await readdir(join(root, folder))).toEqual([]);
      const { stdout: logs } = await execa('find', [join(root, 'var/log'), '-type', 'f']);
      expect(logs).toBe('');
      const { stdout: young } = await execa('find', [root, '-newermt', `@${image.sourceDateEpoch}`]);
      expect(young).toBe('');
      const { stdout: settings } = await execa('grep', ['-rl', 'mmdebstrap', join(root, 'etc')], {
        reject: false,
      });
      expect(settings).toBe('');
    });
  });

  it('has a package system that is whole and knows where packages come from', async () => {
    await mounted(root.path, async (root) => {
      const { stdout: audit } = await execa('dpkg', ['--root', root, '--audit']);
      expect(audit).toBe('');
      const { stdout: verified } = await execa('dpkg', ['--root', root, '--verify', 'initramfs-tools']);
      expect(verified).toBe('');
      expect(await readFile(join(root, 'var/lib/dpkg/diversions'), 'utf8')).not.toContain('update-initramfs');
      const source = await readFile(join(root, 'etc/apt/sources.list.d/debian.sources'), 'utf8');
      expect(source).toContain('Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg');
      expect((await stat(join(root, 'etc/apt/sources.list.d/debian.sources'))).mode & 0o777).toBe(0o644);
      // A later kernel makes boot entries as the first one has them.
      expect(await readFile(join(root, 'etc/kernel/entry-token'), 'utf8')).toBe('debian\n');
      expect(await readFile(join(root, 'etc/kernel/install.conf'), 'utf8')).toBe('layout=bls\n');
    });
  });
});

describe('the ESP content', () => {
  it('has loader, kernel and initrd, and no boot entry', async () => {
    const { stdout } = await execa('tar', ['--list', '--file', blob('esp')]);
    const names = stdout.split('\n').filter((name) => !name.endsWith('/'));
    const version = /^debian\/([^/]+)\/linux$/m.exec(stdout)?.[1] ?? '';
    expect(version).toMatch(/^6\..*-cloud-amd64$/);
    expect(names.sort()).toEqual(
      [
        'EFI/BOOT/BOOTX64.EFI',
        'EFI/systemd/systemd-bootx64.efi',
        `debian/${version}/initrd.img`,
        `debian/${version}/linux`,
        'loader/entries.srel',
        'loader/loader.conf',
      ].sort(),
    );
    const { stdout: kernel } = await execa('tar', ['-xOf', blob('esp'), `debian/${version}/linux`], {
      encoding: 'buffer',
    });
    await mounted(root.path, async (root) => {
      expect(await readFile(join(root, `boot/vmlinuz-${version}`))).toEqual(Buffer.from(kernel));
      await expect(stat(join(root, `boot/initrd.img-${version}`))).resolves.toBeTruthy();
    });
  });
});

describe('the lists', () => {
  it('name every file of the mounted image, with its digest', async () => {
    const listed = await Array.fromAsync(readFileList(blob('files')));
    await mounted(root.path, async (root) => {
      const { stdout } = await execa('find', [root, '-printf', '/%P %m %U %G\\n']);
      const found = stdout.split('\n').filter((line) => !line.startsWith('/lost+found '));
      const expected = listed.map(({ path, mode, uid, gid }) => `${path} ${mode.toString(8)} ${uid} ${gid}`);
      expect(found.sort()).toEqual(expected.sort());
      for (const { path, digest, size } of listed.filter(({ type }) => type === 'file').slice(0, 500)) {
        const content = await readFile(join(root, path));
        expect([
          path,
          content.length,
          `sha256:${createHash('sha256').update(content).digest('hex')}`,
        ]).toEqual([path, size, digest]);
      }
    });
  });

  it('name every package that dpkg knows, as CycloneDX', async () => {
    const sbom = JSON.parse(await readFile(blob('sbom'), 'utf8')) as {
      bomFormat: string;
      specVersion: string;
      components: { name: string; version: string; purl: string; licenses?: unknown[] }[];
    };
    expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' });
    const status = await mounted(root.path, (root) => readFile(join(root, 'var/lib/dpkg/status'), 'utf8'));
    const installed = [...status.matchAll(/^Package: (.*)\n(?:.+\n)*?Version: (.*)\n/gm)];
    expect(sbom.components.map(({ name, version }) => `${name} ${version}`).sort()).toEqual(
      installed.map(([, name, version]) => `${name} ${version}`).sort(),
    );
    expect(ref.packageCount).toBe(sbom.components.length);
    const systemd = sbom.components.find(({ name }) => name === 'systemd');
    expect(systemd?.purl).toMatch(/^pkg:deb\/debian\/systemd@257.*\?arch=amd64&distro=debian-trixie$/);
    expect(systemd?.licenses).toContainEqual({ license: { id: 'LGPL-2.1-or-later' } });
  });
});

describe('the same manifest', () => {
  it('gives the same bytes in another store, and is built once for all who ask at the same time', async () => {
    const other = await makeBuilder();
    try {
      const built = await Promise.all(Array.from({ length: 20 }, () => other.build(image)));
      expect(new Set(built.map((entry) => JSON.stringify(entry)))).toEqual(new Set([JSON.stringify(ref)]));
      // Twenty builds would have left other logs; one left one, and the store has one image.
      const images = await new ImageStore(other.paths.store).list();
      expect(images.map(withoutTime)).toEqual([withoutTime(record)]);
      const ofOther = await readdir(join(other.paths.store, 'blobs/sha256'));
      expect(ofOther.sort()).toEqual((await readdir(join(builder.paths.store, 'blobs/sha256'))).sort());
    } finally {
      await other.remove();
    }
  });

  it('takes less room in the store than its data', () => {
    const packedBytes = record.imageBlobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    expect(packedBytes).toBeLessThan(record.dataBytes / 2);
  });
});
