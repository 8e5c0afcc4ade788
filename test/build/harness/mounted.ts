/** Looking into an image the way its later owner does: mounted by the kernel. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** Mounts a filesystem image read-only while `look` runs. */
export async function mounted<T>(image: string, look: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'iguana-mounted-'));
  try {
    await execa('mount', ['-o', 'loop,ro', image, folder]);
    try {
      return await look(folder);
    } finally {
      await execa('umount', [folder]);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
