/** What the tests of writing share: sample bytes, and the writer in a process of its own. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { promisify } from 'node:util';
import { execa } from 'execa';
import type { ByteRange } from '../../../image/write/flusher.ts';
import type { WriteProgress, WriteReport } from '../../../image/write/request.ts';

const MIB = 1 << 20;

/**
 * Bytes of an image, a megabyte for each letter: each letter always gives the same bytes, and `0` gives zeros. A digit after
 * a letter, up to 9, makes another variant of it.
 */
export function bytesOf(pattern: string): Buffer {
  const parts = pattern.match(/0|[a-z][1-9]?/g) ?? [];
  return Buffer.concat(parts.map((part) => (part === '0' ? Buffer.alloc(MIB) : megabyteOf(part))));
}

const megabytes = new Map<string, Buffer>();

/** Half of it can be compressed, as in files of a system. */
function megabyteOf(seed: string): Buffer {
  const known = megabytes.get(seed);
  if (known) return known;
  const bytes = Buffer.alloc(MIB, `${seed} is the text that fills this megabyte. `);
  for (let at = 0, block = 0; at < MIB; at += 8192, block += 1) {
    let digest = createHash('sha512').update(`${seed}${block}`).digest();
    for (let done = 0; done < 4096; done += digest.length) {
      digest.copy(bytes, at + done);
      digest = createHash('sha512').update(digest).digest();
    }
  }
  megabytes.set(seed, bytes);
  return bytes;
}

/** What a child says. */
export interface ChildResult {
  readonly progress: readonly WriteProgress[];
  readonly report: WriteReport | undefined;
  readonly maxRssBytes: number | undefined;
  readonly stderr: string;
}

/** Options of the child. */
export interface ChildOptions {
  readonly reference: string;
  readonly held?: string;
  readonly target: string;
  readonly flushed?: readonly ByteRange[];
  readonly readBack?: boolean;
  readonly threads?: number;
  /** Stops when so many bytes of chunks are done. */
  readonly stopAtBytes?: number;
  /** Where Node keeps what it has compiled, as the `iguana` command tells it. */
  readonly compileCache?: string;
  /** Of Node. */
  readonly nodeOptions?: readonly string[];
}

/**
 * Writes in a process of its own.
 * @param killAt ends it with SIGKILL when this is true
 */
export async function writeInChild(
  { compileCache, nodeOptions = [], ...options }: ChildOptions,
  killAt: (progress: WriteProgress) => boolean = () => false,
): Promise<ChildResult> {
  const script = new URL('./write-child.ts', import.meta.url).pathname;
  const child = execa(process.execPath, [...nodeOptions, script, JSON.stringify(options)], {
    reject: false,
    env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
  });
  const progress: WriteProgress[] = [];
  let last: { report?: WriteReport; maxRssBytes?: number } = {};
  for await (const line of child) {
    const said = JSON.parse(line);
    if (!said.progress) last = { ...last, ...said };
    else {
      progress.push(said.progress);
      if (killAt(said.progress)) child.kill('SIGKILL');
    }
  }
  const { stderr } = await child;
  return { progress, report: last.report, maxRssBytes: last.maxRssBytes, stderr };
}

/** As sha256sum(1) sees it, from the page cache or the disk. */
export async function sha256sum(path: string): Promise<string> {
  const { stdout } = await promisify(execFile)('sha256sum', [path]);
  return stdout.slice(0, 64);
}

/** Of bytes in memory. */
export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** The first bytes of a target. */
export async function startOf(path: string, length = 64 << 10): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of createReadStream(path, { end: length - 1 })) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The error's message with those of its causes, as people see it. */
export function toldBy(error: unknown): string {
  const messages: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) messages.push(at.message);
  return messages.join('\n');
}
