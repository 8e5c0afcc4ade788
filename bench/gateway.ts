/**
 * What the gateway costs: heartbeats, polls and answers through it against a direct connection, one machine; then many machines at once, each
 * with its own connection, five polls that wait and a heartbeat a second, and a task for one of them now and then.
 * `node bench/gateway.ts [MACHINES [SECONDS]]`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Connection, ConnectionLike, WorkflowService } from '@temporalio/client';
import { Authority } from '../gateway/authority/authority.ts';
import { gatewayKeys } from '../gateway/authority/keys.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { apiThrough } from '../test/gateway/harness/api.ts';
import { Fleet } from '../test/gateway/harness/fleet.ts';
import type { EnrolledMachine } from '../test/gateway/harness/site.ts';

const MACHINES = Number(process.argv[2] ?? 200);
const SECONDS = Number(process.argv[3] ?? 30);
const SAMPLES = 300;
/** For one machine, one after the other; each is a workflow of its own. */
const TASKS = 100;
/** Between two tasks for machines out of many. */
const TASK_MS = 100;
const POLLS = 5;
const POLL_MS = 70_000;
/** Enrolling is limited for each address, and here all machines have one. */
const ENROL_MS = 60;
const CLOCK_TICKS = 100;

type Way = Pick<Gateway, 'port' | 'authority'>;

async function startGateway(fleet: Fleet): Promise<{ child: ChildProcess; way: Way }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../gateway/main.ts', import.meta.url))], {
    env: {
      ...process.env,
      IGUANA_STATE: fleet.site.root,
      IGUANA_GATEWAY_PORT: '0',
      IGUANA_GATEWAY_CONNECTIONS_PER_SECOND: '1000',
      // One machine asks as fast as it can.
      IGUANA_GATEWAY_MACHINE_CALLS_PER_SECOND: '100000',
      TEMPORAL_ADDRESS: fleet.environment.address,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    if (output.length < 10_000) output += text;
  });
  let port: string | undefined;
  while (!port) {
    await sleep(100);
    port = /"port":(\d+),"caDigest"/.exec(output)?.[1];
  }
  const authority = await Authority.open(await gatewayKeys(fleet.site.paths));
  return { child, way: { port: Number(port), authority } };
}

/** A task as its machine gets it. */
interface Polled {
  readonly taskToken: Uint8Array;
  /** From the moment in which Temporal scheduled it, by the clock of this host, which both have. */
  readonly tookMs: number;
}

/** Milliseconds since 1970, with fractions. */
const now = (): number => performance.timeOrigin + performance.now();

/** @returns undefined where no task came */
async function poll(connection: ConnectionLike, machine: EnrolledMachine): Promise<Polled | undefined> {
  const taskQueue = { name: `machine/${machine.id}` };
  // Temporal itself takes no poll without a deadline.
  const { taskToken, scheduledTime } = await connection.withDeadline(Date.now() + POLL_MS, () =>
    connection.workflowService.pollActivityTaskQueue({ namespace: 'default', taskQueue }),
  );
  if (taskToken.length === 0) return undefined;
  const scheduled = Number(scheduledTime?.seconds) * 1e3 + Number(scheduledTime?.nanos) / 1e6;
  return { taskToken, tookMs: now() - scheduled };
}

/** The task that has been made for a machine. */
async function taskFor(connection: ConnectionLike, machine: EnrolledMachine): Promise<Polled> {
  const task = await poll(connection, machine);
  if (!task) throw new Error(`polling for machine ${machine.id}: no task came`);
  return task;
}

/** Milliseconds: the median, and what one in a hundred exceeds. */
function summary(times: readonly number[]): { median: string; p99: string } {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.floor(sorted.length * part)] ?? Number.NaN).toFixed(2);
  return { median: at(0.5), p99: at(0.99) };
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await action();
  return performance.now() - begun;
}

/** One machine, one call after the other. */
async function one(fleet: Fleet, connection: ConnectionLike, machine: EnrolledMachine) {
  const service = connection.workflowService;
  const polls: number[] = [];
  const answers: number[] = [];
  for (let n = 0; n < TASKS; n++) {
    const waiting = taskFor(connection, machine);
    await sleep(50);
    await fleet.count(machine, 1);
    const { taskToken, tookMs } = await waiting;
    polls.push(tookMs);
    answers.push(
      await timed(() => service.respondActivityTaskCompleted({ namespace: 'default', taskToken })),
    );
  }
  await fleet.count(machine, 1);
  const { taskToken } = await taskFor(connection, machine);
  const heartbeats: number[] = [];
  for (let n = 0; n < SAMPLES; n++) {
    heartbeats.push(
      await timed(() => service.recordActivityTaskHeartbeat({ namespace: 'default', taskToken })),
    );
  }
  await service.respondActivityTaskCompleted({ namespace: 'default', taskToken });
  return { heartbeats: summary(heartbeats), polls: summary(polls), answers: summary(answers) };
}

function usage(pid: number): { cpuSeconds: number; mebibytes: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS,
    mebibytes: Math.round(Number(kibibytes) / 1024),
  };
}

/** All machines at once. */
async function many(fleet: Fleet, way: Way, pid: number) {
  const connections: Connection[] = [];
  const machines: EnrolledMachine[] = [];
  const loops: Promise<void>[] = [];
  const times: number[] = [];
  const polls: number[] = [];
  let state: 'starting' | 'measuring' | 'over' = 'starting';
  // From the start on: a step that does not heartbeat for some seconds is given up.
  const beat = async (service: WorkflowService, taskToken: Uint8Array): Promise<void> => {
    while (state !== 'over') {
      const took = await timed(() =>
        service.recordActivityTaskHeartbeat({ namespace: 'default', taskToken }),
      );
      if (state === 'measuring') times.push(took);
      await sleep(Math.max(0, 1_000 - took));
    }
  };
  const over = new AbortController();
  // One of five, as a worker has them; it asks again when it has answered.
  const work = async (connection: Connection, machine: EnrolledMachine): Promise<void> => {
    while (state !== 'over') {
      const task = await connection.withAbortSignal(over.signal, () => poll(connection, machine));
      if (!task) continue;
      if (state === 'measuring') polls.push(task.tookMs);
      const { taskToken } = task;
      await connection.workflowService.respondActivityTaskCompleted({ namespace: 'default', taskToken });
    }
  };
  const untilOver = (error: unknown): void => {
    if (!over.signal.aborted) throw error;
  };
  for (let n = 1; n <= MACHINES; n++) {
    const machine = await fleet.site.machine(way as Gateway, 1_000 + n);
    const connection = apiThrough(way, machine);
    connections.push(connection);
    machines.push(machine);
    await fleet.count(machine, 1);
    loops.push(beat(connection.workflowService, (await taskFor(connection, machine)).taskToken));
    for (let waiting = 0; waiting < POLLS; waiting++) loops.push(work(connection, machine).catch(untilOver));
    await sleep(ENROL_MS);
  }
  const before = usage(pid);
  state = 'measuring';
  const end = now() + SECONDS * 1_000;
  while (now() < end) {
    const machine = machines[Math.floor(Math.random() * machines.length)];
    if (machine) await fleet.count(machine, 1);
    await sleep(TASK_MS);
  }
  state = 'over';
  const after = usage(pid);
  over.abort();
  await Promise.all(loops);
  for (const connection of connections) await connection.close();
  return {
    machines: MACHINES,
    heartbeats: summary(times),
    calls: times.length,
    polls: summary(polls),
    tasks: polls.length,
    gatewayCores: ((after.cpuSeconds - before.cpuSeconds) / SECONDS).toFixed(2),
    gatewayMebibytes: after.mebibytes,
  };
}

const fleet = await Fleet.start();
const { child, way } = await startGateway(fleet);
try {
  const machine = await fleet.site.machine(way as Gateway, 1);
  const connection = apiThrough(way, machine);
  const direct = await one(fleet, fleet.environment.connection, machine);
  const through = await one(fleet, connection, machine);
  console.table({
    'heartbeat, direct': direct.heartbeats,
    'heartbeat, gateway': through.heartbeats,
    'task scheduled to polled, direct': direct.polls,
    'task scheduled to polled, gateway': through.polls,
    'answer, direct': direct.answers,
    'answer, gateway': through.answers,
  });
  await connection.close();
  const together = await many(fleet, way, child.pid ?? 0);
  console.table({
    [`heartbeat, ${MACHINES} machines`]: together.heartbeats,
    [`task scheduled to polled, ${MACHINES} machines`]: together.polls,
  });
  console.log(JSON.stringify({ direct, through, together }));
} finally {
  child.kill('SIGTERM');
  await fleet.stop();
}
