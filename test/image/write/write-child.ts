/**
 * Writes an image in a process of its own, so that a test can kill it and see its memory: node write-child.ts OPTIONS, as JSON.
 * Prints a line of JSON for each progress, the report, and how much memory it took, also where it fails.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { readImage } from '../../../image/format/read-image.ts';
import { openSource } from '../../../image/transfer/open.ts';
import { writeImage } from '../../../image/write/writer.ts';

const optionsSchema = z.strictObject({
  reference: z.string(),
  held: z.string().optional(),
  target: z.string(),
  flushed: z.array(z.tuple([z.number(), z.number()])).default([]),
  readBack: z.boolean().default(false),
  threads: z.number().default(2),
  stopAtBytes: z.number().default(Number.POSITIVE_INFINITY),
});

const { reference, held, stopAtBytes, ...options } = optionsSchema.parse(JSON.parse(process.argv[2] ?? ''));

process.on('exit', () => {
  // Not getrusage(2): there, what the parent had before exec counts too.
  const [, peakKib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  console.log(JSON.stringify({ maxRssBytes: Number(peakKib) * 1024 }));
});

async function imageOf(of: string) {
  const source = openSource([of]);
  const [part] = (await readImage(source)).parts;
  if (!part) throw new Error(`${of} has no part`);
  return { source, part: part.chunks };
}

const image = await imageOf(reference);
const older = held === undefined ? undefined : await imageOf(held);

const stop = new AbortController();
const report = await writeImage({
  ...options,
  ...image,
  ...(older && { held: older.part }),
  signal: stop.signal,
  onProgress: (progress) => {
    console.log(JSON.stringify({ progress }));
    if (progress.doneBytes >= stopAtBytes) stop.abort();
  },
}).catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
});
await Promise.all([image, older].map((one) => one?.source.close()));
console.log(JSON.stringify({ report }));
