/** Checks of the machine: rights, KVM, loop devices, filesystems, space, memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatePaths } from '../state.ts';
import { type Check, missing, ok, warning, words } from './check.ts';

const GIB = 1024 ** 3;
/** One build with its image, and the containers. */
const SPACE_NEEDED = 8 * GIB;
/** A virtual machine, Temporal and the workers. */
const MEMORY_NEEDED = 3 * GIB;
/** UEFI with its variables in one file, of Debian's package ovmf. */
const FIRMWARE = '/usr/share/ovmf/OVMF.fd';
/** With a working KVM the firmware says its first words after one to two seconds. */
const KVM_DEADLINE_MS = 8_000;

const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;

/** Root. */
export function checkRoot(): Check {
  return process.getuid?.() === 0
    ? ok('rights', 'root')
    : warning('rights', 'not root', 'installs need root: `./iguana` asks sudo for it');
}

/** KVM, tried by running UEFI firmware in it: on some hosts the device is there, a BIOS runs, and UEFI hangs. */
export async function checkKvm(): Promise<Check> {
  const slower = 'virtual machines are emulated, ten times slower; installs on real machines do not need it';
  if (!existsSync('/dev/kvm')) return warning('KVM', 'no /dev/kvm', slower);
  const machine = ['-machine', 'q35', '-accel', 'kvm', '-cpu', 'host', '-m', '256', '-bios', FIRMWARE];
  const child = spawn(
    'qemu-system-x86_64',
    [...machine, '-nodefaults', '-display', 'none', '-serial', 'stdio'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  child.unref();
  const spoke = once(child.stdout, 'data').then(() => 'works');
  const ended = once(child, 'exit').then(
    ([status, signal]) => `fails with ${status ?? signal}`,
    (error: unknown) => `cannot be tried: ${words(error)}`,
  );
  const state = await Promise.race([spoke, ended, sleep(KVM_DEADLINE_MS, 'hangs', { ref: false })]);
  // It may be stuck in the kernel, where no signal reaches it: nobody waits for it.
  child.kill('SIGKILL');
  child.stdout.destroy();
  return state === 'works' ? ok('KVM', state) : warning('KVM', `/dev/kvm ${state}`, slower);
}

/** Loop devices, by which disk image files become disks. */
export function checkLoopDevices(): Check {
  if (existsSync('/dev/loop-control')) return ok('loop devices', '/dev/loop-control');
  return missing(
    'loop devices',
    'no /dev/loop-control',
    '`modprobe loop`; in a container pass /dev of the host',
  );
}

/** Filesystems of the kernel that installs mount. */
export async function checkFilesystems(): Promise<Check> {
  const known = (await readFile('/proc/filesystems', 'utf8')).split('\n').map((line) => line.split('\t')[1]);
  const absent = ['ext4', 'xfs', 'btrfs'].filter((name) => !known.includes(name));
  if (absent.length === 0) return ok('filesystems', 'ext4, xfs, btrfs');
  return warning(
    'filesystems',
    `${absent.join(', ')} not loaded`,
    'the kernel loads them when they are first mounted; where it has none, use another filesystem in the profile',
  );
}

/** Free space of the state folder and the cache. */
export async function checkSpace(paths: StatePaths): Promise<Check[]> {
  return await Promise.all(
    Object.entries({ 'state folder': paths.root, cache: paths.cache }).map(async ([name, folder]) => {
      try {
        await mkdir(folder, { recursive: true });
        const { bavail, bsize } = await statfs(folder);
        const free = bavail * bsize;
        const found = `${folder}: ${gib(free)} free`;
        if (free >= SPACE_NEEDED) return ok(name, found);
        return warning(name, found, `${gib(SPACE_NEEDED)} are wanted: free some (\`iguana image gc\`)`);
      } catch (error) {
        return missing(name, words(error), `make ${folder} writable, or name another folder`);
      }
    }),
  );
}

/** Memory. */
export function checkMemory(): Check {
  const found = gib(totalmem());
  return totalmem() >= MEMORY_NEEDED
    ? ok('memory', found)
    : warning('memory', found, `${gib(MEMORY_NEEDED)} are wanted for a build and a virtual machine`);
}
