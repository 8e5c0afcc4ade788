/** The list of all files in an image, with their digests: newline-delimited JSON, compressed with zstd. */
import { createWriteStream } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { z } from 'zod';
import { BadImage } from '../image/format/errors.ts';
import { maxPackedBytes } from '../image/format/limits.ts';
import { type LineLimits, linesOfZstd } from './zstd-lines.ts';

/**
 * More than a million paths of 200 bytes, three times a large desktop; verification holds them in memory. A line has two
 * paths of at most PATH_MAX (4096 bytes), each byte of which may be six in JSON.
 */
const LIMITS: LineLimits = { maxBytes: 256 * 2 ** 20, maxLineBytes: 64 * 2 ** 10 };

/** Of a list as it lies in the store. */
export const MAX_LIST_BYTES = maxPackedBytes(LIMITS.maxBytes);

const fileEntrySchema = z
  .strictObject({
    /** Absolute, in the image. */
    path: z
      .string()
      .startsWith('/')
      .refine((path) => path === '/' || (path === posix.normalize(path) && !path.endsWith('/')), {
        error: 'has an empty part, "." or "..", or a slash at its end',
      }),
    type: z.enum(['file', 'directory', 'symlink', 'character', 'block', 'fifo', 'socket']),
    /** Permission bits with set-id and sticky, e.g. 0o755. */
    mode: z.number().int().min(0).max(0o7777),
    uid: z.number().int().nonnegative(),
    gid: z.number().int().nonnegative(),
    /** Bytes; 0 where the type has none. */
    size: z.number().int().nonnegative(),
    /** Of a file's content. */
    digest: z.templateLiteral(['sha256:', z.string().regex(/^[0-9a-f]{64}$/)]).optional(),
    /** Target of a symbolic link. */
    link: z.string().optional(),
    /** Seconds since 1970, whole. */
    mtime: z.number().int().optional(),
  })
  .superRefine(({ type, mode, size, digest, link }, context) => {
    const demand = (isRight: boolean, field: string, message: string): void => {
      if (!isRight) context.addIssue({ code: 'custom', path: [field], message });
    };
    // Without them any content, and any link, would pass the verification.
    demand((type === 'file') === (digest !== undefined), 'digest', 'every file has one, and nothing else');
    demand((type === 'symlink') === (link !== undefined), 'link', 'every symlink has one, and nothing else');
    // Linux gives every symbolic link these (symlink(7)).
    demand(type !== 'symlink' || mode === 0o777, 'mode', 'is 511 (0o777) for a symlink');
    demand(type === 'file' || size === 0, 'size', 'is 0 for what is no file');
  });

/** @see fileEntrySchema */
export type FileEntry = z.infer<typeof fileEntrySchema>;

/**
 * Writes a list; the same entries in the same order give the same bytes.
 * @throws Error where it gets larger than {@link readFileList} reads
 */
export async function writeFileList(
  entries: Iterable<FileEntry> | AsyncIterable<FileEntry>,
  path: string,
): Promise<void> {
  const lines = async function* () {
    let total = 0;
    for await (const entry of entries) {
      const line = `${JSON.stringify(entry)}\n`;
      const bytes = Buffer.byteLength(line);
      total += bytes;
      if (bytes - 1 > LIMITS.maxLineBytes || total > LIMITS.maxBytes)
        throw new Error(
          `writing the file list ${path}: it gets too large at ${entry.path}: it may have ${LIMITS.maxBytes} bytes, a line ${LIMITS.maxLineBytes}`,
        );
      yield line;
    }
  };
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  await pipeline(Readable.from(lines()), compress, createWriteStream(path));
}

/**
 * Reads a list.
 * @throws BadImage naming the line that is no entry or has the path of another, or saying why it cannot be unpacked;
 *   ImageIoError
 */
export async function* readFileList(path: string): AsyncGenerator<FileEntry> {
  const paths = new Set<string>();
  let number = 0;
  for await (const line of linesOfZstd(path, `reading the file list ${path}`, LIMITS)) {
    number += 1;
    const doing = `reading line ${number} of the file list ${path}`;
    const entry = parseEntry(line, doing);
    if (paths.has(entry.path)) throw new BadImage(doing, `an earlier line has ${entry.path}, too`);
    paths.add(entry.path);
    yield entry;
  }
}

/** A byte order mark is none of JSON. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseEntry(line: Buffer, doing: string): FileEntry {
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(line));
  } catch (cause) {
    throw new BadImage(doing, 'it is no JSON', { cause });
  }
  const parsed = fileEntrySchema.safeParse(value);
  if (!parsed.success) throw new BadImage(doing, z.prettifyError(parsed.error));
  return parsed.data;
}
