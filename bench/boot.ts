/**
 * The boot image: its size, the time from power on to the agent's first poll by phase, with the agent in it and pulled, and the memory that it
 * needs. `node bench/boot.ts [ROUNDS [MIB…]]`: default 3 rounds in 1 GiB, then one start of each in 896, 768, 640 and 512 MiB.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BootImage, type BootRequest, makeBootImage } from '../host/boot/boot-image.ts';
import { statePaths } from '../host/state.ts';
import { Fleet } from '../test/gateway/harness/fleet.ts';
import { machineIdOf } from '../test/gateway/harness/site.ts';
import { endAll } from '../test/image/servers/at-end.ts';
import { LOOPBACK, makeCertificates } from '../test/image/servers/certificates.ts';
import { startRegistry } from '../test/image/servers/registry.ts';
import { pushAgent } from '../test/machine/push-agent.ts';
import { Signing } from '../test/machine/signing.ts';
import { machineQueue } from '../workflows/api.ts';
import { type Outcome, startMachine } from './boot-machine.ts';
import { median } from './write-timing.ts';

const ROUNDS = Number(process.argv[2] ?? 3);
const LESS_MIB = process.argv.length > 3 ? process.argv.slice(3).map(Number) : [896, 768, 640, 512];
const MEMORY_MIB = 1024;
/** The host, as guests of QEMU's user network see it. */
const HOST = '10.0.2.2';
/** `TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API. */
const ACTIVITIES = 2;

const folder = mkdtempSync(join(tmpdir(), 'iguana-bench-boot-'));
const fleet = await Fleet.start();
const gateway = await fleet.site.start({ names: ['localhost', HOST] });
let machines = 0;

/** A machine that nobody knows yet, in a boot image. */
async function start({ kernel, initrd }: BootImage, memoryMiB: number): Promise<Outcome> {
  const machineId = machineIdOf(++machines);
  const told = `iguana.server=https://${HOST}:${gateway.port} iguana.ca=${gateway.authority.digest} iguana.token=${await fleet.site.token()}`;
  return await startMachine({ kernel, initrd, commandLine: told, machineId, memoryMiB }, async () => {
    const { pollers } = await fleet.client.workflowService.describeTaskQueue({
      namespace: 'default',
      taskQueue: { name: machineQueue(machineId) },
      taskQueueType: ACTIVITIES,
    });
    return (pollers ?? []).length > 0;
  });
}

/** With the agent signed in a registry, which is asked for it at each start. */
async function pulledRequest(): Promise<Partial<BootRequest>> {
  const [tls, signing] = await Promise.all([makeCertificates(HOST, LOOPBACK), Signing.create()]);
  const { host } = await startRegistry({ tls });
  const agent = `${host.replace(LOOPBACK, HOST)}/iguana/agent`;
  const digest = await pushAgent(`${host}/iguana/agent`, tls.ca);
  await signing.sign(`${host}/iguana/agent@${digest}`, agent);
  return {
    baked: false,
    agent: `${agent}@${digest}`,
    agentKey: await readFile(`${signing.keys}.pub`, 'utf8'),
    registryCa: await readFile(tls.ca, 'utf8'),
  };
}

/** Medians of the times at which phases ended, one machine after the other. */
async function measure(image: BootImage): Promise<Record<string, number>> {
  const outcomes: Outcome[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const outcome = await start(image, MEMORY_MIB);
    if (outcome.times.has('poll')) outcomes.push(outcome);
    else console.error(`not counted, since its agent never polled: ${outcome.last}`);
  }
  const row: Record<string, number> = {};
  for (const phase of outcomes[0]?.times.keys() ?? [])
    row[phase] = rounded(median(outcomes.map(({ times }) => times.get(phase) ?? Number.NaN)));
  row['CPU s'] = rounded(median(outcomes.map(({ cpuSeconds }) => cpuSeconds)));
  return row;
}

const rounded = (value: number): number => Math.round(value * 10) / 10;

try {
  const request: BootRequest = { variant: 'virtual', baked: true, folder, onLine: console.error };
  const baked = await makeBootImage(statePaths(), request);
  const pulled = await makeBootImage(statePaths(), {
    ...request,
    ...(await pulledRequest()),
    folder: join(folder, 'pulled'),
  });
  const megabytes = Object.fromEntries(
    [
      ['kernel', baked.kernelBytes] as const,
      ...baked.parts.map(({ name, bytes }) => [name, bytes] as const),
    ].map(([name, bytes]) => [name, rounded(bytes / 1e6)]),
  );
  const seconds = { 'agent in it': await measure(baked), 'agent pulled': await measure(pulled) };
  const pollsIn = async (image: BootImage, mib: number): Promise<string> => {
    const { times, last } = await start(image, mib);
    return times.has('poll') ? 'polls' : `does not: ${last}`;
  };
  const memory: Record<string, Record<string, string>> = {};
  for (const mib of LESS_MIB)
    memory[`${mib} MiB`] = {
      'agent in it': await pollsIn(baked, mib),
      'agent pulled': await pollsIn(pulled, mib),
    };
  console.table({ 'size, MB': megabytes });
  console.table(seconds);
  console.table(memory);
  console.log(JSON.stringify({ megabytes, seconds, memory }));
} finally {
  await fleet.stop();
  await endAll();
  rmSync(folder, { recursive: true, force: true });
}
