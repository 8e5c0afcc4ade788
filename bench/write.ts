/**
 * `node bench/write.ts [--rounds N] [--targets loop,file] [--only NAME,…] [--json]`: an image written to a disk, against every
 * writer that can be had here, alternating in one run.
 *
 * The image is served by nginx on loopback. Targets: a loop device over a file in memory, and a file on the disk; both are
 * emptied before each write. Whatever a contender wrote is compared with the source, byte by byte. What cannot be beaten is
 * measured in the same rounds: dd of the allocated bytes alone, and the CPU time of decompression and SHA-256 shared by all cores. The best
 * round beside the median tells of a machine that has other work too.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { requireEqual } from './write-compare.ts';
import { type Contender, contenders, peerNames } from './write-contenders.ts';
import { benchFolder, type ReferenceImage, referenceImage } from './write-image.ts';
import { packReference } from './write-pack.ts';
import { serveFolder } from './write-server.ts';
import { type TargetKind, withTarget } from './write-target.ts';
import { median, type Timing, timed } from './write-timing.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    targets: { type: 'string', default: 'loop,file' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => {
  if (!options.json) console.log(text);
};

/** Each round, by contender. */
type Times = Map<string, Timing[]>;

async function measure(kind: TargetKind, all: readonly Contender[], image: ReferenceImage): Promise<Times> {
  const times: Times = new Map(all.map(({ name }) => [name, []]));
  for (let round = 1; round <= Number(options.rounds); round += 1) {
    for (const contender of all) {
      await withTarget(kind, image.sizeBytes, async (target) => {
        const { seconds, cpuSeconds } = await timed(contender.command(target));
        const counted = contender.counts === 'cpu' ? cpuSeconds / availableParallelism() : seconds;
        times.get(contender.name)?.push({ seconds: counted, cpuSeconds });
        say(
          `${kind}, round ${round}: ${contender.name} ${seconds.toFixed(2)} s, CPU ${cpuSeconds.toFixed(2)} s`,
        );
        if (contender.writes === 'image') await requireEqual(image.raw, target, image.sizeBytes);
        if (contender.writes === 'allocated')
          await requireEqual(image.allocated, target, image.allocatedBytes);
      });
    }
  }
  return times;
}

const image = await referenceImage();
const layout = await packReference(image.raw, 'first');
const server = await serveFolder(benchFolder());
try {
  const chosen = contenders({ image, layout, url: server.url }).filter(
    ({ name }) => !options.only || options.only.split(',').some((word) => name.includes(word)),
  );
  const results: Record<string, unknown> = {};
  for (const kind of (['loop', 'file'] as const).filter((one) => options.targets.includes(one))) {
    const times = await measure(kind, chosen, image);
    const all = (name: string): readonly number[] => (times.get(name) ?? []).map((one) => one.seconds);
    const seconds = (name: string): number => median(all(name));
    const cpuSeconds = (name: string): number => median((times.get(name) ?? []).map((one) => one.cpuSeconds));
    const limit = Math.max(
      seconds('dd of the allocated bytes'),
      seconds('decompression and SHA-256, CPU ÷ cores'),
    );
    const peer = Math.min(...peerNames.map(seconds).filter(Number.isFinite));
    results[kind] = Object.fromEntries(chosen.map(({ name }) => [name, seconds(name)]));
    say(`\ntarget ${kind}`);
    console.table(
      Object.fromEntries(
        chosen.map(({ name }) => [
          name,
          {
            'median, s': seconds(name).toFixed(2),
            'best, s': Math.min(...all(name)).toFixed(2),
            'CPU, s': cpuSeconds(name).toFixed(2),
            '÷ limit': (seconds(name) / limit).toFixed(2),
            '÷ best peer that verifies': (seconds(name) / peer).toFixed(2),
          },
        ]),
      ),
    );
  }
  if (options.json) console.log(JSON.stringify(results));
} finally {
  await server.stop();
}
