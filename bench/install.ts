/**
 * What Iguana itself costs: wall time of an install minus the time its activities ran, the same image part again, and the memory
 * of the processes. `node bench/install.ts [RUNS]`; needs root. The first install builds the image and is not counted.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readLayers } from '../client/install/layers.ts';
import { Site } from '../test/install/site.ts';
import { installWorkflowId, WORKFLOWS } from '../workflows/api.ts';

const DISK_BYTES = 4 * 2 ** 30;
const PROFILES = ['../docs/examples/demo.yaml', '../test/install/profile.yaml'].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
);
const RUNS = Number(process.argv[2] ?? 3);

interface Timing {
  readonly wallSeconds: number;
  readonly activitySeconds: number;
  /** From asking for the image to having it; the image is in the store. */
  readonly imageAgainSeconds: number;
}

const seconds = (time: { seconds?: unknown; nanos?: number | null } | null | undefined): number =>
  Number(time?.seconds ?? 0) + (time?.nanos ?? 0) / 1e9;

/** Installs once and reads the times from Temporal's history. */
async function install(site: Site, machineId: string): Promise<Timing> {
  await mkdir(join(site.paths.root, 'disks'), { recursive: true });
  await using iguana = site.connect();
  const path = join(site.paths.root, 'disks', `${machineId}.img`);
  await iguana.startInstall({
    machineId,
    target: { kind: 'file', path, sizeBytes: DISK_BYTES },
    layers: await readLayers(PROFILES),
    approval: 'ask',
  });
  const handle = (await iguana.client()).workflow.getHandle(installWorkflowId(machineId));
  await handle.result();
  const { events } = await handle.fetchHistory();
  const started = new Map<string, number>();
  const initiated = new Map<string, number>();
  let activitySeconds = 0;
  let imageAgainSeconds = 0;
  for (const event of events ?? []) {
    const at = seconds(event.eventTime);
    if (event.activityTaskStartedEventAttributes) started.set(String(event.eventId), at);
    const done = event.activityTaskCompletedEventAttributes;
    if (done) activitySeconds += at - (started.get(String(done.startedEventId)) ?? at);
    const child = event.startChildWorkflowExecutionInitiatedEventAttributes;
    if (child?.workflowType?.name === WORKFLOWS.buildImage) initiated.set(String(event.eventId), at);
    const built = event.childWorkflowExecutionCompletedEventAttributes;
    if (built) imageAgainSeconds = at - (initiated.get(String(built.initiatedEventId)) ?? at);
  }
  const first = seconds(events?.[0]?.eventTime);
  const last = seconds(events?.at(-1)?.eventTime);
  return { wallSeconds: last - first, activitySeconds, imageAgainSeconds };
}

/** Resident memory of the processes of this site, in MiB. */
function memory(root: string): Record<string, number> {
  const found: Record<string, number> = {};
  const kinds: [string, RegExp][] = [
    ['server', /worker\/server\.ts/],
    ['temporal', /server\0start-dev/],
    ['control worker', /worker\/control\.ts/],
    ['builder worker', /worker\/builder\.ts/],
    ['gateway', /gateway\/main\.ts/],
    ['agent', /iguana\/agent\.js/],
  ];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(root)) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      const kind = kinds.find(([, pattern]) => pattern.test(command))?.[0];
      const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      if (kind && kibibytes) found[kind] = Math.round(Number(kibibytes) / 1024);
    } catch (error) {
      // It has ended while it was looked at, or is not even root's to look at.
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (!['ENOENT', 'ESRCH', 'EACCES'].includes(code)) throw error;
    }
  }
  return found;
}

const site = new Site(mkdtempSync(join(tmpdir(), 'iguana-bench-')));
try {
  await site.start();
  const { wallSeconds } = await install(site, 'first');
  const timings: Timing[] = [];
  for (let run = 1; run <= RUNS; run += 1) timings.push(await install(site, `run-${run}`));
  console.table(
    timings.map((timing) => ({
      'wall s': timing.wallSeconds.toFixed(2),
      'activities s': timing.activitySeconds.toFixed(2),
      'same image again s': timing.imageAgainSeconds.toFixed(2),
      'Iguana itself s': (timing.wallSeconds - timing.activitySeconds - timing.imageAgainSeconds).toFixed(2),
    })),
  );
  const memoryMiB = memory(site.paths.root);
  console.table(memoryMiB);
  console.log(JSON.stringify({ firstWallSeconds: wallSeconds, timings, memoryMiB }));
} finally {
  await site.remove();
}
