/** Archives for the kernel's initramfs: cpio in the format newc, compressed with zstd (kernel.org: buffer-format). */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** As small as zstd makes it without a window that the kernel would refuse. */
const LEVEL = 19;
/** The kernel finds the next archive at a multiple of this. */
export const ALIGNMENT = 4;

/**
 * Makes a compressed cpio of a tar. The same tar gives the same bytes.
 * @param tar archive; devices and owners stay as they are in it
 * @param exclude patterns of paths that are left out
 * @throws Error with what bsdtar or zstd said
 */
export async function cpioOfTar(tar: string, path: string, exclude: readonly string[] = []): Promise<void> {
  const file = await open(path, 'w');
  try {
    const args = [
      ...['--create', '--format', 'newc', '--file', '-'],
      ...exclude.flatMap((pattern) => ['--exclude', pattern]),
      `@${tar}`,
    ];
    const bsdtar = spawn('bsdtar', args, { stdio: ['ignore', 'pipe', 'pipe'], env: ENVIRONMENT });
    const zstd = spawn('zstd', [`-${LEVEL}`, '--threads=0', '--quiet', '--stdout'], {
      stdio: ['pipe', file.fd, 'pipe'],
      env: ENVIRONMENT,
    }) as ChildProcessByStdio<Writable, null, Readable>;
    await Promise.all([
      // What it does not take any more is told by its end.
      pipeline(bsdtar.stdout, zstd.stdin).catch(() => undefined),
      ended('bsdtar', bsdtar, tar),
      ended('zstd', zstd, tar),
    ]);
    const { size } = await file.stat();
    await file.truncate(Math.ceil(size / ALIGNMENT) * ALIGNMENT);
  } finally {
    await file.close();
  }
}

/** Messages in English, names of files as bytes. */
const ENVIRONMENT = { ...process.env, LC_ALL: 'C.UTF-8' };

async function ended(program: string, child: ChildProcess, tar: string): Promise<void> {
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said = `${said}${text.toString()}`.slice(-2000);
  });
  const [status] = await once(child, 'close').catch((cause: Error) => {
    throw new Error(
      `making an initrd of ${tar}: ${cause.message} (Debian’s packages libarchive-tools and zstd)`,
      {
        cause,
      },
    );
  });
  if (status !== 0) throw new Error(`making an initrd of ${tar}: ${program} ended with ${status}: ${said}`);
}
