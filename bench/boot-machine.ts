/** One start of a machine in QEMU, without hardware virtualisation, and when it said what. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { QEMU } from '../activities/power/qemu-arguments.ts';

/** What is started. */
export interface Start {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
  readonly machineId: string;
  readonly memoryMiB: number;
}

/** Seconds since power on, at the end of each phase that was reached. */
export type Times = ReadonlyMap<string, number>;

/** What came of it. */
export interface Outcome {
  readonly times: Times;
  /** Of QEMU, up to the first poll. */
  readonly cpuSeconds: number;
  /** The console's last lines. */
  readonly last: string;
}

/** Its own thread for each processor: a boot in some sixty panics (see `ACCELERATION`), which is told and not counted. */
const MACHINE = [
  '-machine',
  'q35',
  '-accel',
  'tcg,thread=multi',
  '-cpu',
  'max,cx16=off,la57=off,avx=off,avx2=off',
  '-smp',
  '2',
];
/** For hanging, and for machines that have too little memory. */
const TIMEOUT_MS = 180_000;
const POLL_MS = 100;
const TICKS_PER_SECOND = 100;

/** What the console says at the end of each phase but the last. */
const PHASES: readonly (readonly [string, RegExp])[] = [
  ['kernel', /Welcome to/],
  ['system', /iguana\[\d+\]: machine /],
  ['network', /network \w+ 10\./],
  ['pull', /starting the agent/],
  ['start', /enrolling at/],
  ['enrol', /enrolled/],
];

/** Starts a machine, waits for its agent's first poll, and switches it off. */
export async function startMachine(start: Start, polls: () => Promise<boolean>): Promise<Outcome> {
  const { kernel, initrd, commandLine, machineId, memoryMiB } = start;
  const since = performance.now();
  const devices = ['virtio-rng-pci', 'virtio-net-pci,netdev=net,romfile='].flatMap((it) => ['-device', it]);
  const words = [
    '-kernel',
    kernel,
    '-initrd',
    initrd,
    '-append',
    `console=ttyS0 quiet panic=5 systemd.show_status=1 ${commandLine}`,
  ];
  const child = spawn(
    QEMU,
    [
      ...MACHINE,
      ...[
        '-m',
        String(memoryMiB),
        '-no-reboot',
        '-nodefaults',
        '-nographic',
        '-display',
        'none',
        '-serial',
        'stdio',
      ],
      ...['-uuid', machineId, '-netdev', 'user,id=net', ...devices, ...words],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  const times = new Map<string, number>();
  const seconds = () => (performance.now() - since) / 1000;
  let said = '';
  child.stdout.on('data', (piece: Buffer) => {
    said += piece.toString();
    for (const [phase, end] of PHASES) if (!times.has(phase) && end.test(said)) times.set(phase, seconds());
  });
  try {
    while (child.exitCode === null && !times.has('poll') && seconds() * 1000 < TIMEOUT_MS) {
      if (await polls()) times.set('poll', seconds());
      else await sleep(POLL_MS);
    }
    const cpuSeconds = child.exitCode === null ? await cpuOf(child.pid) : Number.NaN;
    return { times, cpuSeconds, last: said.trimEnd().split('\n').slice(-3).join(' | ') };
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** Of a process with its threads (proc_pid_stat(5): utime and stime). */
async function cpuOf(pid: number | undefined): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
