/**
 * `node bench/reinstall.ts [--rounds N] [--targets loop,file] [--json]`: a security update as a new image, onto a disk that
 * holds the older one.
 *
 * Two newer images: the older disk, mounted and updated by apt, where all that did not change lies at its place; and one whose filesystem
 * was made anew, as image builds do it, where nearly nothing does. In each round the disk is given the older image, then the newer one with
 * the older as `held`; and, for comparison, the newer one onto an empty disk. Every result is compared with the source. Goals: at most
 * 15 % of the compressed bytes fetched (aim 7 %), in at most a third of the time.
 */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import type { WriteReport } from '../image/write/request.ts';
import type { ChildOptions } from './write-child.ts';
import { requireEqual } from './write-compare.ts';
import { benchFolder, referenceDisk } from './write-image.ts';
import { launcherEnv, nodeOptions, packReference } from './write-pack.ts';
import { serveFolder } from './write-server.ts';
import { withTarget } from './write-target.ts';
import { median } from './write-timing.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    targets: { type: 'string', default: 'loop,file' },
    json: { type: 'boolean', default: false },
  },
});

async function write(child: ChildOptions): Promise<WriteReport> {
  const script = new URL('write-child.ts', import.meta.url).pathname;
  const { stdout } = await execa(process.execPath, [...nodeOptions, script, JSON.stringify(child)], {
    env: launcherEnv,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '').report;
}

const older = await referenceDisk('first');
const olderLayout = await packReference(older.raw, 'first');
const server = await serveFolder(benchFolder());
const served = (folder: string): string => `${server.url}/${basename(folder)}`;
const rows: Record<string, Record<string, string>> = {};
const results: object[] = [];

async function measure(release: 'made-anew' | 'updated-in-place'): Promise<void> {
  const newer = await referenceDisk(release);
  const [before, after] = [served(olderLayout), served(await packReference(newer.raw, release))];
  for (const kind of (['loop', 'file'] as const).filter((one) => options.targets.includes(one))) {
    const updates: WriteReport[] = [];
    const wholes: WriteReport[] = [];
    for (let round = 0; round < Number(options.rounds); round += 1) {
      await withTarget(kind, newer.sizeBytes, async (target) => {
        await write({ reference: before, target });
        updates.push(await write({ reference: after, held: before, target }));
        await requireEqual(newer.raw, target, newer.sizeBytes);
      });
      await withTarget(kind, newer.sizeBytes, async (target) => {
        wholes.push(await write({ reference: after, target }));
      });
    }
    const [update, whole] = [updates[0], wholes[0]];
    if (!update || !whole) throw new Error('at least one round is needed');
    const seconds = median(updates.map((report) => report.seconds));
    const wholeSeconds = median(wholes.map((report) => report.seconds));
    results.push({ release, target: kind, seconds, wholeSeconds, update, whole });
    const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
    rows[`${release}, ${kind}`] = {
      fetched: `${mebibytes(update.fetched)} of ${mebibytes(whole.fetched)}`,
      'fetched, ratio': (update.fetched / whole.fetched).toFixed(3),
      kept: mebibytes(update.kept),
      copied: mebibytes(update.copied),
      written: mebibytes(update.written),
      's, median': seconds.toFixed(2),
      'whole, s': wholeSeconds.toFixed(2),
      'time, ratio': (seconds / wholeSeconds).toFixed(2),
    };
  }
}

try {
  for (const release of ['updated-in-place', 'made-anew'] as const) await measure(release);
} finally {
  await server.stop();
}
if (options.json) console.log(JSON.stringify(results));
else console.table(rows);
