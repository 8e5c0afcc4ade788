/**
 * `node bench/fleet.ts [--fleets 1,2,5,…] [--json]`: many machines write one image from one server at once.
 *
 * Each machine is a process with a small target in memory; all begin at one signal, when all have started. Counted are the time until the
 * last one has finished, what the server's processor and those of the machines did, and how evenly the machines were served (Jain's index of their rates: 1 where all
 * are equal, 1/n where one has all). Every target is compared with the source. Server and machines share the processor of one
 * host: what each machine takes from it is the same for any size of the fleet, so what grows beside it is the server.
 */
import { randomFillSync } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { packImage } from '../image/pack/pack-image.ts';
import { readRaw } from '../image/pack/raw-input.ts';
import { LayoutTarget } from '../image/transfer/layout-target.ts';
import { requireEqual } from './write-compare.ts';
import { type Server, serveFolder } from './write-server.ts';
import { median } from './write-timing.ts';

const MIB = 2 ** 20;
const IMAGE_BYTES = 32 * MIB;
const FOLDER = '/dev/shm/iguana-bench-fleet';
const RAW = join(FOLDER, 'image.raw');

const { values: options } = parseArgs({
  options: {
    fleets: { type: 'string', default: '1,2,5,10,20,50,100' },
    json: { type: 'boolean', default: false },
  },
});

/** Half noise, half zeros in every block: compresses as the files of a system do. */
async function makeImage(): Promise<string> {
  const bytes = Buffer.alloc(IMAGE_BYTES);
  for (let at = 0; at < bytes.length; at += 4096) randomFillSync(bytes, at, 2048);
  await writeFile(RAW, bytes);
  const folder = join(FOLDER, 'layout');
  const target = new LayoutTarget({ kind: 'layout', folder, tag: 'latest' });
  await packImage(target, {
    tag: 'latest',
    level: 3,
    parts: [{ name: 'disk', kind: 'disk', input: await readRaw(RAW) }],
  });
  await target.close();
  return folder;
}

/** One machine, started and waiting. */
async function startMachine(reference: string, index: number) {
  const target = join(FOLDER, `target-${index}`);
  const file = await open(target, 'w');
  await file.truncate(IMAGE_BYTES);
  await file.close();
  const script = new URL('fleet-child.ts', import.meta.url).pathname;
  const child = execa(process.execPath, [script, reference, target]);
  const lines = child.iterable();
  await lines.next();
  return {
    write: async (): Promise<{ seconds: number; cpuSeconds: number }> => {
      child.stdin?.write('go\n');
      const { stdout } = await child;
      return JSON.parse(stdout.split('\n').at(-1) ?? '');
    },
    check: () => requireEqual(RAW, target, IMAGE_BYTES),
  };
}

async function measure(size: number, server: Server, reference: string) {
  const machines = [];
  for (let index = 0; index < size; index += 1) machines.push(await startMachine(reference, index));
  const cpuBefore = await server.cpuSeconds();
  const start = performance.now();
  const written = await Promise.all(machines.map((machine) => machine.write()));
  const seconds = written.map((one) => one.seconds);
  const totalSeconds = (performance.now() - start) / 1000;
  const serverCpuSeconds = (await server.cpuSeconds()) - cpuBefore;
  for (const machine of machines) await machine.check();
  const rates = seconds.map((one) => 1 / one);
  const sum = rates.reduce((all, rate) => all + rate, 0);
  const squares = rates.reduce((all, rate) => all + rate * rate, 0);
  return {
    size,
    totalSeconds,
    mebibytesPerSecond: (size * IMAGE_BYTES) / MIB / totalSeconds,
    serverCpuSeconds,
    machineCpuSeconds: median(written.map(({ cpuSeconds }) => cpuSeconds)),
    slowestSeconds: Math.max(...seconds),
    medianSeconds: median(seconds),
    fairness: sum ** 2 / (size * squares),
  };
}

await rm(FOLDER, { recursive: true, force: true });
await mkdir(FOLDER, { recursive: true });
try {
  const layout = await makeImage();
  const server = await serveFolder(FOLDER);
  try {
    const results = [];
    for (const size of options.fleets.split(',').map(Number)) {
      const result = await measure(size, server, `${server.url}/${basename(layout)}`);
      results.push(result);
    }
    if (options.json) console.log(JSON.stringify(results));
    else
      console.table(
        Object.fromEntries(
          results.map((result) => [
            `${result.size} machines`,
            {
              'all, s': result.totalSeconds.toFixed(2),
              'MiB/s': result.mebibytesPerSecond.toFixed(0),
              'server CPU, s': result.serverCpuSeconds.toFixed(2),
              'server CPU, ms each': ((1000 * result.serverCpuSeconds) / result.size).toFixed(0),
              'CPU of a machine, ms': (1000 * result.machineCpuSeconds).toFixed(0),
              'slowest ÷ median': (result.slowestSeconds / result.medianSeconds).toFixed(2),
              fairness: result.fairness.toFixed(3),
            },
          ]),
        ),
      );
  } finally {
    await server.stop();
  }
} finally {
  await rm(FOLDER, { recursive: true, force: true });
}
