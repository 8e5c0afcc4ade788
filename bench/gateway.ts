/**
 * What the gateway costs: heartbeats and tasks through it against a direct connection, one machine; then many machines at once, each
 * with its own connection, five polls that wait and a heartbeat a second. `node bench/gateway.ts [MACHINES [SECONDS]]`.
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

async function poll(connection: ConnectionLike, machine: EnrolledMachine): Promise<Uint8Array> {
  const taskQueue = { name: `machine/${machine.id}` };
  // Temporal itself takes no poll without a deadline.
  const { taskToken } = await connection.withDeadline(Date.now() + POLL_MS, () =>
    connection.workflowService.pollActivityTaskQueue({ namespace: 'default', taskQueue }),
  );
  return taskToken;
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
  const tasks: number[] = [];
  for (let n = 0; n < 20; n++) {
    const waiting = poll(connection, machine);
    await sleep(50);
    let token = new Uint8Array();
    tasks.push(
      await timed(async () => {
        await fleet.count(machine, 1);
        token = new Uint8Array(await waiting);
      }),
    );
    await service.respondActivityTaskCompleted({ namespace: 'default', taskToken: token });
  }
  await fleet.count(machine, 1);
  const taskToken = await poll(connection, machine);
  const heartbeats: number[] = [];
  for (let n = 0; n < SAMPLES; n++) {
    heartbeats.push(
      await timed(() => service.recordActivityTaskHeartbeat({ namespace: 'default', taskToken })),
    );
  }
  await service.respondActivityTaskCompleted({ namespace: 'default', taskToken });
  return { heartbeats: summary(heartbeats), tasks: summary(tasks) };
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
  const loops: Promise<void>[] = [];
  const times: number[] = [];
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
  for (let n = 1; n <= MACHINES; n++) {
    const machine = await fleet.site.machine(way as Gateway, 1_000 + n);
    const connection = apiThrough(way, machine);
    connections.push(connection);
    await fleet.count(machine, 1);
    loops.push(beat(connection.workflowService, await poll(connection, machine)));
    // What waits until the connection is closed.
    for (let waiting = 0; waiting < POLLS; waiting++) poll(connection, machine).catch(() => undefined);
    await sleep(ENROL_MS);
  }
  const before = usage(pid);
  state = 'measuring';
  await sleep(SECONDS * 1_000);
  state = 'over';
  const after = usage(pid);
  await Promise.all(loops);
  for (const connection of connections) await connection.close();
  return {
    machines: MACHINES,
    heartbeats: summary(times),
    calls: times.length,
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
    'workflow start to task, direct': direct.tasks,
    'workflow start to task, gateway': through.tasks,
  });
  await connection.close();
  const together = await many(fleet, way, child.pid ?? 0);
  console.table(together.heartbeats);
  console.log(JSON.stringify({ direct, through, together }));
} finally {
  child.kill('SIGTERM');
  await fleet.stop();
}
