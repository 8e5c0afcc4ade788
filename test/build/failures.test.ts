/** Builds that cannot succeed: each says what is wrong, with the log, and leaves nothing behind. */
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import { ImageStore } from '../../store/store.ts';
import { type Builder, failureOf, imageOf, makeBuilder, tinyImage } from './harness/images.ts';
import { leftovers } from './harness/leftovers.ts';
import { foreignKey } from './harness/openpgp.ts';

// A build takes half a minute, and many times that where the machine is busy: a limit for what hangs.
vi.setConfig({ testTimeout: 1_800_000 });

let builder: Builder;
beforeAll(async () => {
  builder = await makeBuilder();
});
afterEach(async () => {
  expect(await leftovers(builder.paths)).toEqual([]);
  expect(await new ImageStore(builder.paths.store).list()).toEqual([]);
});
afterAll(() => builder.remove());

/** The image with other fields in its first repository, and only that. */
async function withRepository(
  changes: Partial<ManifestImage['repositories'][number]>,
): Promise<ManifestImage> {
  const image = await tinyImage();
  const [first] = image.repositories;
  if (!first) throw new Error('no repository');
  return { ...image, repositories: [{ ...first, ...changes }] };
}

describe('packages', () => {
  it('names the packages that no repository has', async () => {
    const image = await tinyImage({ packages: ['no-such-package', 'bash', 'neither-this'] });
    const { type, message, retryable, context } = await failureOf(builder.build(image));
    expect({ type, retryable }).toEqual({ type: 'PackageUnknown', retryable: false });
    expect(message).toMatch(/no-such-package/);
    expect(message).toMatch(/neither-this/);
    expect(message).not.toMatch(/bash/);
    const log = String(context.log);
    expect(message).toContain(log);
    expect(await readFile(log, 'utf8')).toContain('Unable to locate package no-such-package');
    expect((context.excerpt as string[]).length).toBeLessThanOrEqual(20);
    expect(context.excerpt).not.toEqual([]);
  });

  it('tries again where the mirror is away', async () => {
    const image = await withRepository({ uri: 'http://127.0.0.1:9/debian' });
    const { type, message, retryable } = await failureOf(builder.build(image));
    expect({ type, retryable }).toEqual({ type: 'PackagesUnavailable', retryable: true });
    expect(message).toContain('http://127.0.0.1:9/debian');
  });

  it('names a suite that the mirror does not have', async () => {
    const image = await withRepository({ suites: ['trixie-no-such-suite'] });
    const { type, message } = await failureOf(builder.build(image));
    expect(type).toBe('PackageUnknown');
    expect(message).toContain('trixie-no-such-suite');
  });

  it('refuses a repository that is signed by another key, and goes by the key of each repository alone', async () => {
    const image = await withRepository({ key: await foreignKey() });
    const { type, message, retryable } = await failureOf(builder.build(image));
    expect({ type, retryable }).toEqual({ type: 'RepositoryUntrusted', retryable: false });
    expect(message).toContain(image.repositories[0]?.uri);
  });

  it('refuses a key that is none', async () => {
    const image = await withRepository({ key: '-----BEGIN PGP PUBLIC KEY BLOCK-----\nnothing\n' });
    expect((await failureOf(builder.build(image))).type).toBe('RepositoryUntrusted');
  });
});

describe('the content', () => {
  const script = { name: 'breaks', content: '#!/bin/sh\necho "reason: $0 had enough" >&2\nexit 3\n' };

  it('names the build script that fails, with its words', async () => {
    const image = await tinyImage({ scripts: [{ name: 'works', content: '#!/bin/sh\n' }, script] });
    const { type, message, retryable, context } = await failureOf(builder.build(image));
    expect({ type, retryable }).toEqual({ type: 'BuildScriptFailed', retryable: false });
    expect(message).toMatch(/build script breaks ended with status 3/);
    expect((context.excerpt as string[]).join('\n')).toMatch(/^breaks: reason: .* had enough$/m);
  });

  it('names a script without a #! line', async () => {
    const image = await tinyImage({ scripts: [{ name: 'bare', content: '\x7fnothing that runs' }] });
    const { type, message } = await failureOf(builder.build(image));
    expect(type).toBe('BuildScriptFailed');
    expect(message).toContain('bare');
  });

  it.each<[string, Partial<ManifestImage>, RegExp]>([
    [
      'a service that does not exist',
      { packages: ['systemd'], services: [{ name: 'nobodys', state: 'enabled' }] },
      /nobodys\.service/,
    ],
    [
      'a file whose owner does not exist',
      {
        files: [
          { path: '/x', content: '', encoding: 'text', mode: '0644', owner: 'nobodyknows', group: 'root' },
        ],
      },
      /nobodyknows/,
    ],
    ['a locale that does not exist', { locale: 'xx_XX.UTF-8' }, /locale xx_XX\.UTF-8/],
    ['a time zone that does not exist', { timezone: 'Europe/Atlantis' }, /time zone Europe\/Atlantis/],
    ['a missing boot loader', {}, /no systemd-boot: add the package systemd-boot/],
    ['a missing kernel', { packages: ['systemd-boot'] }, /no kernel: base-files/],
    [
      'a missing initrd',
      {
        packages: ['systemd-boot'],
        kernel: { package: 'linux-image-cloud-amd64', cmdline: [] },
        scripts: [
          { name: 'no-initrd', content: '#!/bin/sh\ndpkg --force-depends --purge initramfs-tools\n' },
        ],
      },
      /has no initrd: add the package initramfs-tools/,
    ],
  ])('names %s', async (_, changes, words) => {
    const { type, message, retryable } = await failureOf(builder.build(await tinyImage(changes)));
    expect({ type, retryable }).toEqual({ type: 'BuildFailed', retryable: false });
    expect(message).toMatch(words);
  });
});

describe('a full disk', () => {
  it('says so, and succeeds when there is room', async () => {
    const folder = `${builder.paths.root}-small`;
    await execa('mkdir', [folder]);
    // Enough for the log, too little for any image.
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=64M', 'tmpfs', folder]);
    try {
      const small = await makeBuilder(folder);
      const image = await imageOf({ revision: 'full' });
      const { type, message, retryable } = await failureOf(small.build(image));
      expect({ type, retryable }).toEqual({ type: 'StoreFull', retryable: false });
      expect(message).toContain(small.paths.store);
      expect(await leftovers(small.paths)).toEqual([`tmpfs ${folder} tmpfs rw,relatime,size=65536k 0 0`]);
      await execa('mount', ['-o', 'remount,size=4G', folder]);
      expect((await small.build(image)).packageCount).toBeGreaterThan(50);
    } finally {
      await execa('umount', [folder]);
      await execa('rmdir', [folder]);
    }
  });
});
