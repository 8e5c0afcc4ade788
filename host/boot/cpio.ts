/** Archives for the kernel's initramfs: cpio in the format newc, compressed with zstd (kernel.org: buffer-format). */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Pack, pack } from 'tar-stream';
import { EPOCH_SECONDS } from '../containers/debian.ts';

/** As small as zstd makes it without a window that the kernel would refuse. */
const LEVEL = 19;
/** The kernel finds the next archive at a multiple of this. */
const ALIGNMENT = 4;

/** What of an archive is taken, and where to. */
export interface CpioOptions {
  /** Folder in which everything is put, without slashes at its ends. */
  readonly folder?: string;
  /** Patterns of paths that are left out. */
  readonly exclude?: readonly string[];
}

/**
 * Makes a compressed cpio of a tar. The same tar gives the same bytes.
 * @param tar archive; devices and owners stay as they are in it
 * @throws Error with what bsdtar or zstd said
 */
export async function cpioOfTar(
  tar: string,
  path: string,
  { folder, exclude = [] }: CpioOptions = {},
): Promise<void> {
  const file = await open(path, 'w');
  try {
    const args = [
      ...['--create', '--format', 'newc', '--file', '-'],
      ...exclude.flatMap((pattern) => ['--exclude', pattern]),
      '@-',
    ];
    const bsdtar = spawn('bsdtar', args, { stdio: 'pipe', env: ENVIRONMENT });
    const zstd = spawn('zstd', [`-${LEVEL}`, '--threads=0', '--quiet', '--stdout'], {
      stdio: ['pipe', file.fd, 'pipe'],
      env: ENVIRONMENT,
    }) as ChildProcessByStdio<Writable, null, Readable>;
    await Promise.all([
      // What they do not take any more is told by their ends.
      pipeline(source(tar, folder), bsdtar.stdin).catch(() => undefined),
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

function source(tar: string, folder: string | undefined): Readable {
  const bytes = createReadStream(tar, { highWaterMark: 1 << 20 });
  return folder === undefined ? bytes : Readable.from(moved(bytes, folder));
}

/** The same archive with everything in a folder; bsdtar renames nothing of an archive that it reads. */
function moved(bytes: Readable, folder: string): Pack {
  const archive = pack();
  const entries = extract();
  const move = async (): Promise<void> => {
    for (const name of parents(folder))
      archive.entry({
        name: `${name}/`,
        type: 'directory',
        mode: 0o755,
        mtime: new Date(EPOCH_SECONDS * 1000),
      });
    for await (const entry of entries) {
      const { header } = entry;
      const name = join(folder, header.name);
      const linkname = header.type === 'link' ? join(folder, header.linkname ?? '') : header.linkname;
      await pipeline(entry, archive.entry({ ...header, name, ...(linkname && { linkname }) }));
    }
    archive.finalize();
  };
  pipeline(bytes, entries).catch((error: Error) => archive.destroy(error));
  move().catch((error: Error) => archive.destroy(error));
  return archive;
}

/** The folders above a path, and itself, without slashes at their ends. */
function parents(path: string): string[] {
  const above = dirname(path);
  return above === '.' ? [path] : [...parents(above), path];
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
