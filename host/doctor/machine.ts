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
/** A working KVM answers in microseconds. */
const KVM_DEADLINE_MS = 2_000;

const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;

/** Root. */
export function checkRoot(): Check {
  return process.getuid?.() === 0
    ? ok('rights', 'root')
    : warning('rights', 'not root', 'installs need root: `./iguana` asks sudo for it');
}

/** KVM, tried by another process: on some hosts the device is there, and whoever asks it never returns. */
export async function checkKvm(): Promise<Check> {
  const slower = 'virtual machines are emulated, ten times slower; installs on real machines do not need it';
  if (!existsSync('/dev/kvm')) return warning('KVM', 'no /dev/kvm', slower);
  // KVM_GET_API_VERSION, _IO(0xAE, 0) in linux/kvm.h, is 44544; perl is essential on Debian, Node has no ioctl.
  const script = 'open(K, "+<", "/dev/kvm") && ioctl(K, 44544, 0) or exit 1';
  const child = spawn('perl', ['-e', script], { stdio: 'ignore' });
  child.unref();
  const ended = once(child, 'exit').then(
    ([status]) => (status === 0 ? 'works' : `fails with status ${status}`),
    (error: unknown) => `cannot be asked: ${words(error)}`,
  );
  const state = await Promise.race([ended, sleep(KVM_DEADLINE_MS, 'hangs', { ref: false })]);
  if (state === 'works') return ok('KVM', 'works');
  // It may be stuck in the kernel, where no signal reaches it: nobody waits for it.
  child.kill('SIGKILL');
  return warning('KVM', `/dev/kvm ${state}`, slower);
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
