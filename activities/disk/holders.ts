/** Who uses a disk now. */
import { constants } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attribute } from '../../host/disk-identity.ts';
import { errorCode } from '../../image/io-error.ts';
import { type MountInfo, parseMountInfo } from './mounts.ts';

/** Where the kernel's lists are; another root in tests. */
export interface KernelPaths {
  readonly sys: string;
  readonly proc: string;
}
const KERNEL: KernelPaths = { sys: '/sys', proc: '/proc' };

/**
 * Lists who uses a disk: mounts (of the host: process 1 is outside of the agent's container), swap, device-mapper, MD,
 * loop devices on top of it, and `claimed` where the kernel says that somebody has it, without saying who (ZFS).
 * @param kernelName name in /sys/block
 */
export async function diskHolders(kernelName: string, kernel: KernelPaths = KERNEL): Promise<string[]> {
  const devices = await stack(kernelName, kernel.sys);
  const holders = new Set<string>();
  for (const name of devices) {
    if (name.startsWith('dm-'))
      holders.add(`dm:${(await attribute(join(kernel.sys, 'block', name), 'dm/name')) ?? name}`);
    else if (name.startsWith('md')) holders.add(`md:${name}`);
    else if (name.startsWith('loop') && name !== kernelName && !name.startsWith(`${kernelName}p`))
      holders.add(`loop:${name}`);
    else if (name.startsWith('bcache')) holders.add(`bcache:${name}`);
  }
  for (const mountPoint of await mountPoints(devices, kernel)) holders.add(`mount:${mountPoint}`);
  for (const _ of await swaps(devices, kernel)) holders.add('swap');
  if (holders.size === 0 && (await isClaimed(join('/dev', kernelName)))) holders.add('claimed');
  return [...holders].sort();
}

/** A disk, its partitions, and everything that is stacked on them. */
async function stack(kernelName: string, sys: string): Promise<Set<string>> {
  const found = new Set<string>();
  const add = async (name: string): Promise<void> => {
    if (found.has(name)) return;
    found.add(name);
    const folder = join(sys, 'class/block', name);
    for (const holder of await list(join(folder, 'holders'))) await add(holder);
    for (const child of await list(folder))
      if (await attribute(join(folder, child), 'partition')) await add(child);
  };
  await add(kernelName);
  // A loop device on a block device does not stand in its list of holders.
  for (const loop of (await list(join(sys, 'block'))).filter((name) => name.startsWith('loop'))) {
    const backing = await attribute(join(sys, 'block', loop), 'loop/backing_file');
    if (backing?.startsWith('/dev/') && found.has(backing.slice('/dev/'.length))) await add(loop);
  }
  return found;
}

/** Where the filesystems on some devices are mounted on the host. */
async function mountPoints(devices: Set<string>, { sys, proc }: KernelPaths): Promise<string[]> {
  const names = new Set(devices);
  // A btrfs over several devices is mounted by the name of one of them.
  for (const uuid of await list(join(sys, 'fs/btrfs'))) {
    const members = await list(join(sys, 'fs/btrfs', uuid, 'devices'));
    if (members.some((member) => devices.has(member))) for (const member of members) names.add(member);
  }
  const numbers = new Map<string, string>();
  for (const name of names) {
    const number = await attribute(join(sys, 'class/block', name), 'dev');
    if (number) numbers.set(number, name);
  }
  const mounts = parseMountInfo(await readFile(join(proc, '1/mountinfo'), 'utf8')).filter(
    // A btrfs has a device number of its own: its source tells.
    ({ device, source }) => numbers.has(device) || names.has(source.replace(/^\/dev\//, '')),
  );
  return withoutBinds(mounts);
}

/** Binds of folders come and go with containers; they matter only where nothing else of the filesystem is mounted. */
function withoutBinds(mounts: readonly MountInfo[]): string[] {
  const whole = mounts.filter(({ root, filesystem }) => root === '/' || filesystem === 'btrfs');
  const wholeDevices = new Set(whole.map(({ device }) => device));
  const rest = mounts.filter(({ device }) => !wholeDevices.has(device));
  return [...whole, ...rest].map(({ mountPoint }) => mountPoint);
}

async function swaps(devices: Set<string>, { proc }: KernelPaths): Promise<string[]> {
  const [, ...lines] = (await readFile(join(proc, 'swaps'), 'utf8')).trim().split('\n');
  return lines
    .map((line) => line.split(/\s+/)[0] ?? '')
    .filter((path) => path.startsWith('/dev/') && devices.has(path.slice('/dev/'.length)));
}

/** Whether the kernel refuses an exclusive claim; open(2), O_EXCL without O_CREAT on a block device. */
async function isClaimed(node: string): Promise<boolean> {
  try {
    await (await open(node, constants.O_RDONLY | constants.O_EXCL)).close();
    return false;
  } catch (error) {
    return errorCode(error) === 'EBUSY';
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return [];
    throw error;
  }
}
