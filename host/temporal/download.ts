/** The official release of the Temporal CLI. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';

/** What both ways of getting the CLI are given. */
export interface Obtain {
  readonly version: string;
  /** Where the program is put, whole or not at all. */
  readonly target: string;
  readonly say: (line: string) => void;
}

/** SHA-256 of the release archives, by version and architecture of Go. */
const CHECKSUMS: Readonly<Record<string, string>> = {
  '1.5.1 linux_amd64': 'ddc95e08b0b076efd4ea9733a3f488eb7d2be875f8834e616cd2a37358b4852d',
};

/** A host without that network says so soon; one with a slow line needs minutes for 60 MB. */
const CONNECT_MS = 10_000;
const DOWNLOAD_MS = 15 * 60_000;

/**
 * Downloads the release archive, checks it, and unpacks the program.
 * @throws Error where there is no release for this machine, no network, or a wrong checksum
 */
export async function downloadTemporal({ version, target, say }: Obtain): Promise<void> {
  const platform = `linux_${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const expected = CHECKSUMS[`${version} ${platform}`];
  if (!expected) throw new Error(`no known release of the Temporal CLI ${version} for ${platform}`);
  const url = `https://github.com/temporalio/cli/releases/download/v${version}/temporal_cli_${version}_${platform}.tar.gz`;
  say(`downloading ${url}`);
  const archive = await download(url);
  const found = createHash('sha256').update(archive).digest('hex');
  if (found !== expected) {
    throw new Error(`checking ${url}: expected SHA-256 ${expected}, found ${found}; it is not used`);
  }
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(join(dirname(target), '.download-'));
  try {
    await writeFile(join(work, 'archive.tar.gz'), archive);
    await execa('tar', ['-xzf', 'archive.tar.gz', 'temporal'], { cwd: work });
    await rename(join(work, 'temporal'), target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function download(url: string): Promise<Buffer> {
  const slow = new AbortController();
  const timer = setTimeout(
    () => slow.abort(new Error(`no answer within ${CONNECT_MS / 1000} s`)),
    CONNECT_MS,
  );
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([slow.signal, AbortSignal.timeout(DOWNLOAD_MS)]),
    });
    clearTimeout(timer);
    if (!response.ok) throw new Error(`the server answers ${response.status} ${response.statusText}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (cause) {
    const reason =
      cause instanceof Error ? ((cause.cause as Error | undefined)?.message ?? cause.message) : String(cause);
    throw new Error(`downloading ${url}: ${reason}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
