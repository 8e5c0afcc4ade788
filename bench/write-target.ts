/** What is written to: emptied each time. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { benchFolder } from './write-image.ts';

/** `loop`: a loop device over a file in memory; `file`: a file on the disk. */
export type TargetKind = 'loop' | 'file';

/** Lends out an empty target of a size. */
export async function withTarget<T>(
  kind: TargetKind,
  sizeBytes: number,
  action: (path: string) => Promise<T>,
): Promise<T> {
  const folder = join(kind === 'loop' ? '/dev/shm' : benchFolder(), 'iguana-bench-target');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'disk');
  await execa('truncate', ['-s', String(sizeBytes), file]);
  const device =
    kind === 'loop' ? (await execa('losetup', ['--find', '--show', file])).stdout.trim() : undefined;
  try {
    return await action(device ?? file);
  } finally {
    if (device) await execa('losetup', ['--detach', device]);
    await rm(folder, { recursive: true, force: true });
  }
}
