/**
 * The writer in a process of its own, for benchmarks that kill it: node write-child.ts OPTIONS, as JSON. A line of JSON for each
 * progress, then the report.
 */
import { readImage } from '../image/format/read-image.ts';
import { openSource } from '../image/transfer/open.ts';
import type { ByteRange } from '../image/write/flusher.ts';
import { startThreads } from '../image/write/threads.ts';
import { writeImage } from '../image/write/writer.ts';

/** What is written where. */
export interface ChildOptions {
  readonly reference: string;
  readonly target: string;
  /** The image that the target holds. */
  readonly held?: string;
  readonly flushed?: readonly ByteRange[];
}

async function imageOf(reference: string) {
  const source = openSource([reference]);
  const [part] = (await readImage(source)).parts;
  if (!part) throw new Error(`${reference} has no part`);
  return { source, part: part.chunks };
}

// As the command does it.
startThreads();
const { reference, held, ...options }: ChildOptions = JSON.parse(process.argv[2] ?? '');
const image = await imageOf(reference);
const older = held === undefined ? undefined : await imageOf(held);
const report = await writeImage({
  ...options,
  ...image,
  ...(older && { held: older.part }),
  readBack: false,
  onProgress: ({ doneBytes, totalBytes, flushed, kept }) =>
    console.log(JSON.stringify({ progress: { doneBytes, totalBytes, flushed, kept } })),
});
console.log(JSON.stringify({ report }));
await Promise.all([image, older].map((one) => one?.source.close()));
