/**
 * `node bench/resume.ts [--json]`: what a kill costs.
 *
 * The reference image is written by a process that gets SIGKILL at 10, 50, 90 and 99 %, then by another one that is told what the
 * first had said to be flushed. Counted is what both together took more than a write that nobody disturbs: bytes that the server
 * sent, by its own account, and bytes that the kernel wrote to the loop device; how long the second process took, and for how long of that it found
 * what the first had written, by hash. The result is compared with the source.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import type { ByteRange } from '../image/write/flusher.ts';
import type { WriteProgress, WriteReport } from '../image/write/request.ts';
import type { ChildOptions } from './write-child.ts';
import { requireEqual } from './write-compare.ts';
import { benchFolder, referenceImage } from './write-image.ts';
import { launcherEnv, nodeOptions, packReference } from './write-pack.ts';
import { serveFolder } from './write-server.ts';
import { withTarget } from './write-target.ts';

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
});

type Told = Pick<WriteProgress, 'doneBytes' | 'totalBytes' | 'flushed' | 'kept'>;

interface Run {
  readonly last: Told | undefined;
  readonly report: WriteReport | undefined;
  /** From the first progress to the last one that found more on the disk. */
  readonly hashingSeconds: number;
}

async function run(child: ChildOptions, isOver: (told: Told) => boolean = () => false): Promise<Run> {
  const script = new URL('write-child.ts', import.meta.url).pathname;
  const process_ = execa(process.execPath, [...nodeOptions, script, JSON.stringify(child)], {
    reject: false,
    env: launcherEnv,
  });
  let last: Told | undefined;
  let report: WriteReport | undefined;
  let start: number | undefined;
  let hashingSeconds = 0;
  for await (const line of process_) {
    const said = JSON.parse(line);
    if (said.progress) {
      const now = performance.now();
      start ??= now;
      if (said.progress.kept > (last?.kept ?? 0)) hashingSeconds = (now - start) / 1000;
      last = said.progress;
    }
    report = said.report ?? report;
    if (said.progress && isOver(said.progress)) process_.kill('SIGKILL');
  }
  return { last, report, hashingSeconds };
}

/** Bytes written to a device since it was made: sectors of 512 bytes, seventh field of its statistics (iostats.rst). */
async function writtenTo(device: string): Promise<number> {
  const fields = (await readFile(`/sys/block/${basename(device)}/stat`, 'utf8')).trim().split(/\s+/);
  return Number(fields[6]) * 512;
}

/** Does something and counts. */
async function counted<T>(device: string, action: () => Promise<T>) {
  const [sent, written] = [await server.sentBytes(), await writtenTo(device)];
  const result = await action();
  // The server writes its log when a connection has ended, a moment after the process.
  await sleep(300);
  return {
    result,
    sentBytes: (await server.sentBytes()) - sent,
    writtenBytes: (await writtenTo(device)) - written,
  };
}

const image = await referenceImage();
const layout = await packReference(image.raw, 'first');
const server = await serveFolder(benchFolder());
const reference = `${server.url}/${basename(layout)}`;
const rows: Record<string, Record<string, string>> = {};
const results: object[] = [];
try {
  const whole = await withTarget('loop', image.sizeBytes, (target) =>
    counted(target, () => run({ reference, target })),
  );
  const wholeSeconds = whole.result.report?.seconds ?? Number.NaN;
  for (const percent of [10, 50, 90, 99]) {
    const both = await withTarget('loop', image.sizeBytes, async (target) => {
      const done = await counted(target, async () => {
        const killed = await run(
          { reference, target },
          ({ doneBytes, totalBytes }) => doneBytes >= (totalBytes * percent) / 100,
        );
        const flushed: readonly ByteRange[] = killed.last?.flushed ?? [];
        return await run({ reference, target, flushed });
      });
      await requireEqual(image.raw, target, image.sizeBytes);
      return done;
    });
    const { report, hashingSeconds } = both.result;
    if (!report) throw new Error(`going on after ${percent} %: there is no report`);
    const { kept: keptBytes, seconds } = report;
    const result = {
      percent,
      sentAgain: both.sentBytes / whole.sentBytes - 1,
      writtenAgain: both.writtenBytes / whole.writtenBytes - 1,
      keptBytes,
      hashingSeconds,
      seconds,
      wholeSeconds,
    };
    results.push(result);
    const percents = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
    rows[`killed at ${percent} %`] = {
      'fetched again': percents(result.sentAgain),
      'written again': percents(result.writtenAgain),
      'found, MiB': (keptBytes / 2 ** 20).toFixed(0),
      'looking for it, s': hashingSeconds.toFixed(2),
      'second run, s': seconds.toFixed(2),
      'whole write, s': wholeSeconds.toFixed(2),
    };
  }
} finally {
  await server.stop();
}
if (options.json) console.log(JSON.stringify(results));
else console.table(rows);
