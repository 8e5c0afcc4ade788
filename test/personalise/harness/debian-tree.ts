/** A small real Debian 13 for tests: built once by mmdebstrap, kept in the cache. */
import { createHash } from 'node:crypto';
import { access, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { statePaths } from '../../../host/state.ts';

const PACKAGES = [
  'dbus',
  'initramfs-tools',
  'iproute2',
  'kmod',
  'linux-image-cloud-amd64',
  'login',
  'openssh-server',
  'passwd',
  'sudo',
  'systemd-boot',
  'systemd-resolved',
  'systemd-sysv',
  'udev',
  'zstd',
];

/** As images have it: the name below which kernels are on the ESP. */
export const ENTRY_TOKEN = 'iguana-test';

/** @returns path of a tar of the root filesystem */
export async function debianTree(): Promise<string> {
  const args = [
    '--variant=essential',
    '--architectures=amd64',
    `--include=${PACKAGES.join()}`,
    '--aptopt=APT::Install-Recommends "false"',
    // The package of systemd-boot would otherwise look for an ESP of the machine that builds.
    `--setup-hook=mkdir -p "$1/etc/kernel"; echo ${ENTRY_TOKEN} > "$1/etc/kernel/entry-token"; echo > "$1/etc/kernel/cmdline"`,
    'trixie',
  ];
  const key = createHash('sha256').update(JSON.stringify(args)).digest('hex').slice(0, 16);
  const folder = join(statePaths().cache, 'test');
  const path = join(folder, `debian-${key}.tar`);
  try {
    await access(path);
    return path;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  await mkdir(folder, { recursive: true });
  // The name must end so that mmdebstrap knows the format.
  const unfinished = join(folder, `unfinished-${process.pid}.tar`);
  await execa('mmdebstrap', [...args, unfinished], { stdin: 'ignore' });
  await rename(unfinished, path);
  return path;
}
