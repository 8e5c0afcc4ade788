/** The demo: what it installs, where, and what is said about it afterwards. */
import { mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { VirtualMachineInput } from '../../activities/contract.ts';
import { checkProfile } from '../../manifest/check-profile.ts';
import type { InstallInput } from '../../workflows/api.ts';
import { CommandError } from '../errors.ts';
import { makeLayer, readLayers } from '../install/layers.ts';
import type { Snapshot } from '../install/watch.ts';
import type { Iguana } from '../library.ts';
import { formatBetween, formatBytes, shortDigest } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { person } from '../person.ts';
import { demoFolder, lastMachine, makeMachine, ownDisk } from './machine.ts';
import { demoKey } from './ssh-key.ts';

const PROFILE = fileURLToPath(new URL('../../docs/examples/demo.yaml', import.meta.url));
/** Of the virtual machine's disk. */
const DISK_SERIAL = 'iguana';

/** A machine, and what is installed onto it. */
export interface Demo {
  readonly machine: VirtualMachineInput;
  readonly input: InstallInput;
}

/**
 * Makes an empty machine, or finds the one whose demo is under way, and says what is installed.
 * @param disk path of the disk image; default in the state folder
 * @param tell told what is being done
 * @throws CommandError where the demo cannot be installed there
 */
export async function prepareDemo(
  iguana: Iguana,
  disk: string | undefined,
  tell: (line: string) => void,
): Promise<Demo> {
  const machine = (await runningMachine(iguana)) ?? (await newMachine(iguana, disk, tell));
  const publicKey = await demoKey(demoFolder());
  const layers = await readLayers([PROFILE]);
  const own = makeLayer(
    'demo',
    JSON.stringify({
      apiVersion: 'iguana/v1',
      kind: 'Profile',
      storage: { disk: { match: { serial: DISK_SERIAL } } },
      machine: { users: [{ name: demoUser(layers[0]?.text ?? ''), sshKeys: [publicKey] }] },
      // Switched on again it starts from its disk.
      handoff: { action: 'poweroff', virtualMachine: { sshPort: machine.sshPort } },
    }),
  );
  const isOwn = machine.path === ownDisk();
  return {
    machine,
    input: {
      machineId: machine.machineId,
      target: { kind: 'machine' },
      layers: [...layers, own],
      approval: isOwn ? { by: person(), reason: "the demo's own disk image" } : 'ask',
    },
  };
}

async function runningMachine(iguana: Iguana): Promise<VirtualMachineInput | undefined> {
  const last = await lastMachine();
  return last && (await iguana.isRunning(last.machineId)) ? last : undefined;
}

async function newMachine(
  iguana: Iguana,
  disk: string | undefined,
  tell: (line: string) => void,
): Promise<VirtualMachineInput> {
  const last = await lastMachine();
  // It must not run while its disk is taken away.
  if (last) await iguana.stopMachine(last.machineId);
  await mkdir(demoFolder(), { recursive: true, mode: 0o700 });
  // The machine needs the server's gateway; where no server runs, this starts one.
  await iguana.client();
  return await makeMachine(disk, tell);
}

/**
 * The machine of the last demo.
 * @throws CommandError where there is none
 */
export async function installedMachine(): Promise<VirtualMachineInput> {
  const last = await lastMachine();
  if (last) return last;
  throw new CommandError('there is no machine of a demo', { remedy: '`iguana demo` makes one.' });
}

/** The user of the profile that the key is for. */
function demoUser(profile: string): string {
  const name = checkProfile(profile, PROFILE).profile?.machine?.users?.[0]?.name;
  if (!name) throw new CommandError(`preparing the demo: ${PROFILE} has no user`);
  return name;
}

/** What was done, how long each phase took, and what can be done now. */
export function demoSummary(
  output: Output,
  { machineId, path }: VirtualMachineInput,
  { status, startedAt, endedAt }: Snapshot,
): string {
  const { image, firstBoot, boots = [] } = status;
  return [
    '',
    output.tone(
      'strong',
      `An empty machine has installed itself: planned, built, written${boots.length > 1 ? ' through a power cut' : ''}, ` +
        `verified and booted in ${formatBetween(startedAt, endedAt)}.`,
    ),
    ...(image
      ? [
          `image     ${shortDigest(image.imageDigest)}, ${image.packageCount} packages, ${formatBytes(image.dataBytes)}`,
        ]
      : []),
    ...(firstBoot ? [`system    ${firstBoot.hostname}, Linux ${firstBoot.kernel}`] : []),
    `disk      ${path}`,
    'log in    iguana demo --boot    (switches it on again, and says how)',
    `history   iguana history ${machineId}`,
    'again     iguana demo           (quicker: the image is in the store)',
    'clean up  iguana demo --clean',
  ].join('\n');
}

/**
 * Ends a running demo and removes its files; the image stays in the store.
 * @param by who says so
 * @returns the folder that was removed
 */
export async function cleanDemo(iguana: Iguana, by: string): Promise<string> {
  const last = await lastMachine();
  if (last) {
    const { machineId } = last;
    if (await iguana.isRunning(machineId)) {
      await iguana.abort(machineId, { by, reason: 'iguana demo --clean' });
      for await (const _ of iguana.watch(machineId)) {
        // Waits until it has cleaned up behind itself: the machine does that.
      }
    }
    await iguana.stopMachine(machineId);
  }
  await rm(demoFolder(), { recursive: true, force: true });
  return demoFolder();
}
