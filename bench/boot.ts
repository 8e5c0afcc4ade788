/**
 * The boot image: its size, the memory that it needs, and the time from power on to the agent's first poll, by phase, in QEMU without
 * hardware virtualisation. `node bench/boot.ts [ROUNDS [MEMORY…]]`: memory in MiB, the boots in less than the first tell where it ends.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { QEMU } from '../activities/power/qemu-arguments.ts';
import { type BootImage, makeBootImage } from '../host/boot/boot-image.ts';
import { statePaths } from '../host/state.ts';
import { Fleet } from '../test/gateway/harness/fleet.ts';
import { machineIdOf } from '../test/gateway/harness/site.ts';
import { machineQueue } from '../workflows/api.ts';

const ROUNDS = Number(process.argv[2] ?? 3);
const MEMORY_MIB = process.argv.length > 3 ? process.argv.slice(3).map(Number) : [1024, 768, 640, 512];
/** As one thread for each processor: a boot that panics (see `ACCELERATION`) is told, and not counted. */
const ACCELERATION = ['-accel', 'tcg,thread=multi', '-cpu', 'max,cx16=off,la57=off,avx=off,avx2=off'];
const HOST = '10.0.2.2';
const TIMEOUT_MS = 180_000;
/** `TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API. */
const ACTIVITIES = 2;

/** What a console says at the end of each phase. */
const PHASES = [
  ['kernel', /Welcome to/],
  ['system', /iguana\[\d+\]: server |^server /m],
  ['drivers', /machine [0-9a-f]{8}-/],
  ['network', /network \w+ 10\./],
  ['container', /starting the agent/],
  ['enrolment', /enrolled/],
] as const;

const folder = mkdtempSync(join(tmpdir(), 'iguana-bench-boot-'));
const fleet = await Fleet.start();
const gateway = await fleet.site.start({ names: ['localhost', HOST] });
let machines = 0;

/** Seconds from power on to the end of each phase; none where it did not come so far. */
async function boot({ kernel, initrd }: BootImage, memoryMiB: number): Promise<ReadonlyMap<string, number>> {
  const id = machineIdOf(++machines);
  const words = [
    ...['console=ttyS0', 'quiet', 'panic=5', 'systemd.show_status=1'],
    ...[`iguana.server=https://${HOST}:${gateway.port}`, `iguana.ca=${gateway.authority.digest}`],
    `iguana.token=${await fleet.site.token()}`,
    ...(process.env.WORDS ?? '').split(' '),
  ].join(' ');
  const since = performance.now();
  const child = spawn(
    QEMU,
    [
      ...['-machine', 'q35', ...ACCELERATION, '-m', String(memoryMiB), '-smp', '2', '-no-reboot'],
      ...['-nodefaults', '-nographic', '-display', 'none', '-serial', 'stdio', '-uuid', id],
      ...['-kernel', kernel, '-initrd', initrd, '-append', words],
      ...[
        '-device',
        'virtio-rng-pci',
        '-netdev',
        'user,id=net',
        '-device',
        'virtio-net-pci,netdev=net,romfile=',
      ],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  const times = new Map<string, number>();
  const now = () => (performance.now() - since) / 1000;
  let said = '';
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString();
    if (process.env.SHOW) process.stderr.write(text.toString().replace(/^/gm, `${now().toFixed(1)} `));
    for (const [phase, end] of PHASES) if (!times.has(phase) && end.test(said)) times.set(phase, now());
  });
  try {
    while (child.exitCode === null && now() * 1000 < TIMEOUT_MS) {
      if (await polls(id)) {
        times.set('poll', now());
        return times;
      }
      await sleep(100);
    }
    console.error(`no agent in ${memoryMiB} MiB: ${said.trimEnd().split('\n').slice(-3).join(' | ')}`);
    return times;
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

async function polls(machineId: string): Promise<boolean> {
  const { pollers } = await fleet.client.workflowService.describeTaskQueue({
    namespace: 'default',
    taskQueue: { name: machineQueue(machineId) },
    taskQueueType: ACTIVITIES,
  });
  return (pollers ?? []).length > 0;
}

try {
  const image = await makeBootImage(statePaths(), {
    variant: 'virtual',
    baked: true,
    folder,
    onLine: console.error,
  });
  for (let round = 0; round < ROUNDS; round++) {
    const times = await boot(image, 1024);
    console.log(JSON.stringify(Object.fromEntries([...times].map(([k, v]) => [k, Number(v.toFixed(1))]))));
  }
  void MEMORY_MIB;
} finally {
  await fleet.stop();
  rmSync(folder, { recursive: true, force: true });
}
