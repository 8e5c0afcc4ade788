/** From what a person calls a disk to what is installed onto, and to the machine's id. */
import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Target } from '../../activities/contract.ts';
import { machineId } from '../../host/machine-id.ts';
import { sizeToBytes } from '../../manifest/schema/common.ts';
import { usageError } from '../errors.ts';
import { formatBytes } from '../output/format.ts';
import { deviceIdentity } from './device.ts';

/** Size of a new disk image where none is given: room for a system and its updates. */
const DEFAULT_IMAGE_SIZE = '8G';

/** A new disk image of less holds no system. */
const LEAST_IMAGE_BYTES = 256 * 2 ** 20;

/** A disk image. */
export type FileTarget = Extract<Target, { kind: 'file' }>;

/** What is installed onto, and the id under which that is known. */
interface ResolvedTarget {
  readonly target: Target;
  readonly machineId: string;
}

/**
 * Finds what a disk image or a device is.
 * @param disk path of a disk image, which need not exist, or of a device
 * @param size only for a new disk image; default {@link DEFAULT_IMAGE_SIZE}
 * @throws CommandError (usage) where it is neither
 */
export async function resolveTarget(disk: string, size?: string): Promise<ResolvedTarget> {
  const found = await statOrNothing(disk);
  if (!found) return newImage(disk, size);
  if (found.isBlockDevice()) {
    if (size !== undefined) throw usageError(`${disk} is a device: --size is for new disk images`);
    return {
      target: { kind: 'device', id: await deviceIdentity(await realpath(disk)) },
      machineId: await hostId(),
    };
  }
  if (!found.isFile()) {
    throw usageError(`${disk} is neither a disk nor a disk image`, {
      remedy: 'Give a whole disk such as /dev/disk/by-id/…, or the path of a file.',
    });
  }
  const path = await realpath(disk);
  if (size !== undefined && bytesOf(size) !== found.size) {
    throw usageError(`${disk} exists and has ${formatBytes(found.size)} (${found.size} bytes), not ${size}`, {
      remedy: 'Leave --size out to use it as it is, or remove the file for a new one.',
    });
  }
  return { target: { kind: 'file', path, sizeBytes: found.size }, machineId: fileMachineId(path) };
}

/** The id of the machine that a disk image is: the same file is the same machine. */
function fileMachineId(path: string): string {
  return `file-${createHash('sha256').update(path).digest('hex').slice(0, 12)}`;
}

/**
 * A disk image that is to be made.
 * @throws CommandError (usage) where there is no folder for it, or the size is none
 */
export async function newImage(
  disk: string,
  size = DEFAULT_IMAGE_SIZE,
): Promise<ResolvedTarget & { readonly target: FileTarget }> {
  const folder = dirname(resolve(disk));
  const found = await statOrNothing(folder);
  if (!found?.isDirectory() || disk.startsWith('/dev/')) {
    throw usageError(`there is no disk ${disk}, and no folder ${folder} for a new disk image`, {
      remedy: '`lsblk` lists the disks of this host.',
    });
  }
  const path = join(await realpath(folder), basename(disk));
  return { target: { kind: 'file', path, sizeBytes: bytesOf(size) }, machineId: fileMachineId(path) };
}

function bytesOf(size: string): number {
  let bytes: number;
  try {
    bytes = sizeToBytes(size);
  } catch (cause) {
    throw usageError(`--size ${size} is no size`, {
      remedy: 'Give bytes, or a whole number with K, M, G or T, e.g. 8G.',
      cause,
    });
  }
  if (bytes < LEAST_IMAGE_BYTES) {
    throw usageError(`--size ${size} is too small for a system`, {
      remedy: `At least ${formatBytes(LEAST_IMAGE_BYTES)}.`,
    });
  }
  return bytes;
}

/** This host's own id, as the probe finds it. */
async function hostId(): Promise<string> {
  const id = await machineId();
  if (id !== undefined) return id;
  throw usageError(
    'finding out which machine this is: it has neither an SMBIOS UUID nor a network interface',
    {
      remedy: 'Name it with --machine.',
    },
  );
}

async function statOrNothing(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw usageError(`looking at ${path}`, { cause: error });
  }
}

/** What a machine's id may hold: it is part of file names, task queues and addresses. */
const MACHINE_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/**
 * Checks a machine's id that a person gave.
 * @throws CommandError (usage) where it is none
 */
export function checkMachineId(id: string): string {
  if (MACHINE_ID.test(id)) return id;
  throw usageError(`${JSON.stringify(id)} cannot be the id of a machine`, {
    remedy:
      'It has letters, digits and . _ : - only, begins with a letter or digit, and has at most 128 characters.',
  });
}
