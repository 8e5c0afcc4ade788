/** A boot image's system of Debian's packages by Debian's dracut, with Iguana's module. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { makeUserland, type Userland, userlandKey } from '../../host/containers/debian.ts';
import { cachedLayer } from '../../host/containers/layer.ts';
import { statePaths } from '../../host/state.ts';

const SCRIPT = fileURLToPath(new URL('./dracut-system.sh', import.meta.url));
const INITRD = fileURLToPath(new URL('../../initrd/', import.meta.url));

/** As `initrd/dracut/README.md` lists them. */
const PACKAGES = [
  ...['linux-image-cloud-amd64', 'dracut-core', 'dracut-network', 'zstd', 'mawk'],
  ...['systemd', 'systemd-sysv', 'systemd-resolved', 'udev', 'kmod', 'iproute2'],
  ...['podman', 'crun', 'conmon', 'ca-certificates'],
];

/** Makes kernel and initrd, or takes them from the cache where neither packages nor module have changed. */
export async function dracutSystem(): Promise<{ readonly kernel: string; readonly initrd: string }> {
  const folder = join(statePaths().cache, 'containers/layers');
  const userland: Userland = {
    variant: 'apt',
    packages: PACKAGES,
    customize: { program: SCRIPT, digest: await digestOfModule() },
  };
  const key = { dracut: userlandKey(userland) };
  const boot = await cachedLayer(folder, key, async (path) => {
    const whole = `${path}.whole`;
    await makeUserland(userland, whole, () => undefined);
    const only = ['--include', './boot/vmlinuz-*', '--include', './boot/dracut.img'];
    await execa('bsdtar', ['--create', '--file', path, ...only, `@${whole}`]);
    await execa('rm', [whole]);
  });
  const file = async (name: string, pattern: string): Promise<string> => {
    const layer = await cachedLayer(folder, { ...key, name }, async (path) => {
      const args = ['--extract', '--to-stdout', '--file', boot.path, pattern];
      await execa('bsdtar', args, { stdout: { file: path }, buffer: { stdout: false } });
    });
    return layer.path;
  };
  return {
    kernel: await file('kernel', './boot/vmlinuz-*'),
    initrd: await file('initrd', './boot/dracut.img'),
  };
}

/** Of all that goes into it from these sources. */
async function digestOfModule(): Promise<string> {
  const hash = createHash('sha256').update(await readFile(SCRIPT));
  for (const folder of ['dracut', 'boot/root']) {
    const entries = await readdir(join(INITRD, folder), { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    for (const path of files.toSorted()) hash.update(path.slice(INITRD.length)).update(await readFile(path));
  }
  return hash.digest('hex');
}
