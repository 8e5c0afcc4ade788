/** Block devices for the tests of the image library; all go away with the test. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';

const run = promisify(execFile);

/** A loop device over a file. */
export async function loopDevice(file: string): Promise<string> {
  const { stdout } = await run('losetup', ['--find', '--show', file]);
  const device = stdout.trim();
  onTestFinished(async () => {
    await run('losetup', ['--detach', device]);
  });
  return device;
}

/** A filesystem in memory that is soon full. */
export async function smallFilesystem(folder: string, mebibytes: number): Promise<void> {
  await mkdir(folder);
  await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}M`, 'tmpfs', folder]);
  onTestFinished(async () => {
    // Lazily: a loop device on it is detached by the kernel a moment after it was asked to.
    await run('umount', ['--lazy', folder]);
  });
}
