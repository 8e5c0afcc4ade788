/** Loop devices: disk images as block devices. */
import { stat } from 'node:fs/promises';
import { errorCode } from '../../image/io-error.ts';
import { runTool } from './command.ts';

/** What `losetup --json --list` prints, as far as it is used here. */
interface LosetupJson {
  readonly loopdevices: readonly {
    readonly name: string;
    readonly 'back-ino': number;
    readonly 'back-maj:min': string;
    readonly offset: number;
    readonly sizelimit: number;
    readonly ro: boolean;
  }[];
}

/**
 * The loop devices that stand for a whole file, writable ones only.
 * The file is recognised by its inode: the path that the kernel keeps is of the mount namespace of whoever
 * attached it, and a killed agent's container is another namespace than this one.
 */
export async function findLoopDevices(path: string, evenWhenCancelled = false): Promise<string[]> {
  let file: Awaited<ReturnType<typeof stat>>;
  try {
    file = await stat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
  const columns = 'NAME,BACK-INO,BACK-MAJ:MIN,OFFSET,SIZELIMIT,RO';
  const { stdout } = await runTool('losetup', ['--list', '--json', '--output', columns], {
    doing: 'listing the loop devices',
    evenWhenCancelled,
  });
  // Without any loop device it prints nothing at all.
  const { loopdevices } = stdout ? (JSON.parse(stdout) as LosetupJson) : { loopdevices: [] };
  return loopdevices
    .filter((loop) => loop['back-ino'] === file.ino && loop['back-maj:min'] === deviceNumber(file.dev))
    .filter((loop) => loop.offset === 0 && loop.sizelimit === 0 && !loop.ro)
    .map((loop) => loop.name);
}

/** `major:minor` of a device number as stat(2) tells it; see makedev(3) of glibc. */
export function deviceNumber(dev: number): string {
  const number = BigInt(dev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/**
 * Attaches a disk image, or finds the loop device that a killed agent left behind.
 * @returns the node, e.g. `/dev/loop3`
 */
export async function attachLoopDevice(path: string): Promise<string> {
  const [existing] = await findLoopDevices(path);
  if (existing) return existing;
  const doing = `attaching ${path} to a loop device`;
  // Direct I/O keeps the image out of the cache twice over; where the filesystem has none, losetup says so and goes on.
  const args = ['--find', '--show', '--partscan', '--direct-io=on', path];
  const { stdout } = await runTool('losetup', args, { doing });
  return stdout.trim();
}

/** Detaches every loop device of a disk image; runs to its end also when the activity is cancelled. */
export async function detachLoopDevices(path: string): Promise<void> {
  for (const device of await findLoopDevices(path, true)) {
    const options = { doing: `detaching ${device} from ${path}`, evenWhenCancelled: true };
    await runTool('losetup', ['--detach', device], options);
  }
}
