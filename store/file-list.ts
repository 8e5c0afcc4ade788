/** The list of all files in an image, with their digests: newline-delimited JSON, compressed with zstd. */
import { createReadStream, createWriteStream } from 'node:fs';
import { compose, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { z } from 'zod';

const fileEntrySchema = z.strictObject({
  /** Absolute, in the image. */
  path: z.string().startsWith('/'),
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
});

/** @see fileEntrySchema */
export type FileEntry = z.infer<typeof fileEntrySchema>;

/** Writes a list; the same entries in the same order give the same bytes. */
export async function writeFileList(
  entries: Iterable<FileEntry> | AsyncIterable<FileEntry>,
  path: string,
): Promise<void> {
  const lines = async function* () {
    for await (const entry of entries) yield `${JSON.stringify(entry)}\n`;
  };
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  await pipeline(Readable.from(lines()), compress, createWriteStream(path));
}

/**
 * Reads a list.
 * @throws Error naming the line that is no entry, or saying that the file cannot be read or unpacked
 */
export async function* readFileList(path: string): AsyncGenerator<FileEntry> {
  const input = compose(createReadStream(path), createZstdDecompress()).setEncoding('utf8');
  let number = 0;
  for await (const line of linesOf(input)) {
    number += 1;
    yield parseEntry(line, `reading line ${number} of the file list ${path}`);
  }
}

/** By line feeds only: Node's readline also splits at what JSON leaves in names as it is, as U+2028. */
async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function parseEntry(line: string, doing: string): FileEntry {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new Error(`${doing}: it is no JSON`, { cause });
  }
  const parsed = fileEntrySchema.safeParse(value);
  if (!parsed.success) throw new Error(`${doing}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
