/**
 * Mounts of one install, in the agent's own mount namespace: nobody else sees them, and they end with the agent.
 */
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../../image/io-error.ts';
import { runTool } from './command.ts';

const BASE = '/run/iguana/mnt';
/** A tool that was just killed may hold a mount for a moment longer. */
const BUSY_ATTEMPTS = 10;
const BUSY_WAIT_MS = 200;

/**
 * Options that every mount of a filesystem gets, see ext4(5): writing the unused inode tables begins within five seconds of a
 * mount, for as long as the mount lasts. The installed system does that; here it would only add to what is written.
 */
const STANDING_OPTIONS: Record<string, readonly string[]> = { ext4: ['noinit_itable'] };

/** One line of /proc/PID/mountinfo; see proc_pid_mountinfo(5). */
export interface MountInfo {
  /** `major:minor` of the filesystem. */
  readonly device: string;
  /** Folder of the filesystem that is mounted; `/` but for binds and subvolumes. */
  readonly root: string;
  readonly mountPoint: string;
  readonly filesystem: string;
  /** Usually the node of the device. */
  readonly source: string;
}

/** @param text content of a mountinfo file */
export function parseMountInfo(text: string): MountInfo[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , device = '', root = '', mountPoint = ''] = before.split(' ').map(unescapeOctal);
      const [filesystem = '', source = ''] = after.split(' ').map(unescapeOctal);
      return { device, root, mountPoint, filesystem, source };
    });
}

/** The kernel writes white space and backslashes as three octal digits. */
const unescapeOctal = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** @returns the folder below which everything of an install is mounted */
export function mountFolder(installId: string): string {
  return join(BASE, encodeURIComponent(installId));
}

/** What is mounted where. */
export interface MountRequest {
  readonly installId: string;
  readonly device: string;
  readonly filesystem: string;
  /** Below {@link mountFolder}, e.g. `root` or `root/srv`; the folder is created. */
  readonly where: string;
  /** Mount options besides those that every mount of the filesystem gets. */
  readonly options?: readonly string[];
}

/**
 * Mounts a filesystem, unless this agent has it mounted there already.
 * @returns the mount point
 * @throws failure `CommandFailed` with mount's words
 */
export async function mountFilesystem(request: MountRequest): Promise<string> {
  const { installId, device, filesystem, where } = request;
  const options = [...(STANDING_OPTIONS[filesystem] ?? []), ...(request.options ?? [])];
  const mountPoint = join(mountFolder(installId), where);
  const standing = (await ownMounts(installId)).filter((mount) => mount.mountPoint === mountPoint);
  if (standing.at(-1)?.source === device) return mountPoint;
  await mkdir(mountPoint, { recursive: true, mode: 0o700 });
  const flags = options.length > 0 ? ['--options', options.join()] : [];
  const args = ['--no-mtab', '--types', filesystem, ...flags, device, mountPoint];
  await runTool('mount', args, { doing: `mounting ${device} (${filesystem}) on ${mountPoint}` });
  return mountPoint;
}

/** Unmounts everything of an install, the deepest first; runs to its end also when the activity is cancelled. */
export async function unmountAll(installId: string): Promise<void> {
  for (const { mountPoint } of (await ownMounts(installId)).reverse()) await unmount(mountPoint);
  await removeEmptyFolders(mountFolder(installId));
}

/** Never a recursive rm: below a mount point that is still in use it would delete the installed system. */
async function removeEmptyFolders(folder: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  for (const name of names) await removeEmptyFolders(join(folder, name));
  await rmdir(folder);
}

async function unmount(mountPoint: string): Promise<void> {
  const options = { doing: `unmounting ${mountPoint}`, evenWhenCancelled: true };
  for (let attempt = 1; ; attempt++) {
    // umount(8) has one status for all failures; a mount that is really stuck is reported by the last attempt.
    const accept = attempt < BUSY_ATTEMPTS ? [32] : [];
    const { status } = await runTool('umount', [mountPoint], { ...options, accept });
    if (status === 0) return;
    await sleep(BUSY_WAIT_MS);
  }
}

/** The mounts of an install in the order in which they were made. */
async function ownMounts(installId: string): Promise<MountInfo[]> {
  const folder = mountFolder(installId);
  const mounts = parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
  return mounts.filter(({ mountPoint }) => mountPoint === folder || mountPoint.startsWith(`${folder}/`));
}
