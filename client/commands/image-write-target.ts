/** The disk or file that an image is written to: that it is there, free, large enough, and that its content may go. */

import { execFile } from 'node:child_process';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from '../../image/io-error.ts';
import { CommandError, usageError } from '../errors.ts';
import type { Output } from '../output/output.ts';

/** Not execa: nothing here needs what it can do, and loading it takes as long as starting Node. */
const run = promisify(execFile);

/** A target that nobody else uses while it is open. */
export interface WriteTarget extends AsyncDisposable {
  /** With links resolved. */
  readonly path: string;
  /** The same after a reboot. */
  readonly identity: string;
  /** What it holds, for people; undefined where it holds nothing. */
  content(): Promise<string | undefined>;
}

/**
 * Opens a block device or a file; a file that does not exist is made.
 * @throws CommandError where it is in use, too small, or neither of both
 */
export async function openWriteTarget(disk: string, sizeBytes: number): Promise<WriteTarget> {
  const path = await realpath(disk).catch(async (cause: unknown) => {
    if (errorCode(cause) !== 'ENOENT' || disk.startsWith('/dev/')) throw openFailure(disk, cause);
    await makeFile(disk, sizeBytes);
    return resolve(disk);
  });
  const stats = await stat(path);
  if (!stats.isBlockDevice() && !stats.isFile()) {
    throw usageError(`writing to ${disk}: it is neither a disk nor a file`);
  }
  const handle = await openAlone(path, stats);
  try {
    const found = await sizeOf(path, stats);
    if (found < sizeBytes) {
      throw usageError(`writing to ${disk}: it is too small: ${found} bytes, ${sizeBytes} are needed`);
    }
    return {
      path,
      identity: stats.isBlockDevice() ? await identityOf(path) : path,
      content: () => contentOf(path, found),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Returns where what the target holds may be replaced.
 * @throws CommandError where nobody has said so
 */
export async function requireConsent(
  output: Output,
  target: WriteTarget,
  { yes }: { readonly yes?: boolean },
): Promise<void> {
  if (yes) return;
  const { path } = target;
  const content = await target.content();
  if (content === undefined) return;
  const holds = `writing to ${path}: it holds ${content}`;
  if (!output.interactive) {
    throw new CommandError(holds, { remedy: 'Say --yes to replace it.' });
  }
  output.line(output.tone('warn', `This will be destroyed: ${path}, ${content}`));
  const { ask } = await import('../ask.ts');
  const answer = await ask(
    `To destroy it, type the disk's name, ${basename(path)}: `,
    AbortSignal.timeout(600_000),
  );
  if (answer !== basename(path)) throw new CommandError(`${holds}; the answer was not its name`);
}

async function makeFile(path: string, sizeBytes: number): Promise<void> {
  await using file = await open(path, 'wx').catch((cause: unknown) =>
    Promise.reject(openFailure(path, cause)),
  );
  await file.truncate(sizeBytes);
}

/** The kernel gives a disk to one at a time: with it open so, neither it nor a partition of it is mounted, now or meanwhile. */
async function openAlone(path: string, stats: Stats): Promise<FileHandle> {
  if (stats.isFile()) {
    const { stdout } = await run('losetup', ['--associated', path, '--noheadings', '--output', 'NAME']);
    if (stdout !== '') throw new CommandError(`writing to ${path}: it is in use by ${stdout.trim()}`);
  }
  const flags = constants.O_RDWR | (stats.isBlockDevice() ? constants.O_EXCL : 0);
  return await open(path, flags).catch((cause: unknown) => {
    if (errorCode(cause) !== 'EBUSY') throw openFailure(path, cause);
    throw new CommandError(`writing to ${path}: it is in use, mounted for example`, {
      remedy: `See \`lsblk ${path}\`.`,
      cause,
    });
  });
}

/** Partitions, loop devices and the like have none. */
async function identityOf(path: string): Promise<string> {
  const { deviceIdentity } = await import('../install/device.ts');
  return await deviceIdentity(path).catch(() => path);
}

async function sizeOf(path: string, stats: Stats): Promise<number> {
  if (stats.isFile()) return stats.size;
  const { stdout } = await run('blockdev', ['--getsize64', path]);
  return Number(stdout);
}

/** Empty is what has no table, no signature, and zeros wherever it is looked at. */
async function contentOf(path: string, sizeBytes: number): Promise<string | undefined> {
  const [{ execa }, { hasBytes }] = await Promise.all([import('execa'), import('../../host/has-bytes.ts')]);
  const { stdout } = await execa('blkid', ['--probe', '--output', 'export', path], { reject: false });
  const found = Object.fromEntries(stdout.split('\n').map((line) => line.split('=')));
  if (found.PTTYPE) return `a partition table (${found.PTTYPE})`;
  if (found.TYPE) return `${found.TYPE}${found.LABEL ? ` ${found.LABEL}` : ''}`;
  const anyBytes = await hasBytes(path, 0, sizeBytes).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`looking at what ${path} holds: ${why}`, { cause });
  });
  return anyBytes ? 'data' : undefined;
}

function openFailure(path: string, cause: unknown): CommandError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return usageError(`opening ${path}: ${why}`, { cause });
}
