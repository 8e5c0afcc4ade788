/** Compressed raw images. The tools are the formats' own: they know every variant, and fail on what is cut off. */
import type { ImageInput } from './input.ts';
import { toolOutput } from './tool-stream.ts';

/** A compression by its first bytes. */
export interface Compression {
  readonly magic: Buffer;
  readonly tool: readonly [string, ...string[]];
}

/** RFC 8878, 3.1.1; the .xz file format 1.2.1, 2.1.1.1; RFC 1952, 2.3.1. */
export const COMPRESSIONS: readonly Compression[] = [
  // Images are made with windows of up to 2 GiB.
  {
    magic: Buffer.from('28b52ffd', 'hex'),
    tool: ['zstd', '--decompress', '--stdout', '--long=31', '--quiet'],
  },
  { magic: Buffer.from('fd377a585a00', 'hex'), tool: ['xz', '--decompress', '--stdout', '--threads=0'] },
  { magic: Buffer.from('1f8b', 'hex'), tool: ['gzip', '--decompress', '--stdout'] },
];

/**
 * Decompresses once to learn the size, which decides how long chunks are: the same bytes must give the same image, however
 * they are compressed, and not every file says how large it is inside. The whole file is known to be sound then.
 * @throws BadInput
 */
export async function readCompressed(path: string, { tool }: Compression): Promise<ImageInput> {
  const [program, ...args] = tool;
  const read = (signal?: AbortSignal) =>
    toolOutput(`decompressing ${path}`, [program, ...args, '--', path], signal);
  let sizeBytes = 0;
  for await (const piece of read()) sizeBytes += piece.length;
  return { name: path, sizeBytes, read };
}
