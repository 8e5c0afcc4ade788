/** The demo: what it installs, where, and what is said about it afterwards. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../host/free-port.ts';
import { statePaths } from '../../host/state.ts';
import { checkProfile } from '../../manifest/check-profile.ts';
import type { InstallInput } from '../../workflows/api.ts';
import { CommandError } from '../errors.ts';
import { makeLayer, readLayers } from '../install/layers.ts';
import { resolveTarget } from '../install/target.ts';
import type { Snapshot } from '../install/watch.ts';
import type { Iguana } from '../library.ts';
import { formatBetween, formatBytes, shortDigest } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { person } from '../person.ts';
import { demoKey } from './ssh-key.ts';

const PROFILE = fileURLToPath(new URL('../../docs/examples/demo.yaml', import.meta.url));
const MACHINE = 'demo';
/** Easy to remember; another one where it is taken. */
const SSH_PORT = 2222;

/** Where the demo keeps its disk and its key. */
export const demoFolder = (): string => join(statePaths().root, 'demo');
const ownDisk = (): string => join(demoFolder(), 'disk.img');

/**
 * Makes the SSH key, finds a port for SSH, and takes away the disk of an earlier demo.
 * @param disk path of the disk image; default in the state folder
 * @throws CommandError where the demo cannot be installed there
 */
export async function prepareDemo(iguana: Iguana, disk?: string): Promise<InstallInput> {
  const machine = await machineOf(disk);
  // It must not run while its disk is written anew.
  await iguana.stopMachine(machine);
  await mkdir(demoFolder(), { recursive: true, mode: 0o700 });
  const publicKey = await demoKey(demoFolder());
  const layers = await readLayers([PROFILE]);
  const user = demoUser(layers[0]?.text ?? '');
  const sshPort = await freePort(SSH_PORT);
  if (disk === undefined && !(await iguana.isRunning(MACHINE))) await rm(ownDisk(), { force: true });
  const { target } = await resolveTarget(disk ?? ownDisk());
  if (target.kind !== 'file') throw new CommandError('the demo installs onto a disk image, not onto a disk');
  const own = makeLayer(
    'demo',
    JSON.stringify({
      apiVersion: 'iguana/v1',
      kind: 'Profile',
      machine: { users: [{ name: user, sshKeys: [publicKey] }] },
      handoff: { virtualMachine: { sshPort } },
    }),
  );
  return {
    machineId: machine,
    target,
    layers: [...layers, own],
    approval: disk === undefined ? { by: person(), reason: "the demo's own disk image" } : 'ask',
  };
}

/**
 * The machine's id of a demo.
 * @param disk as it was given to the demo
 */
export async function machineOf(disk?: string): Promise<string> {
  return disk === undefined ? MACHINE : (await resolveTarget(disk)).machineId;
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
  machineId: string,
  { status, startedAt, endedAt }: Snapshot,
): string {
  const { image, firstBoot, target } = status;
  const disk = machineId === MACHINE || target.kind !== 'file' ? '' : ` --disk ${target.path}`;
  return [
    '',
    output.tone(
      'strong',
      `A Debian system was planned, built, written, verified and booted in ${formatBetween(startedAt, endedAt)}.`,
    ),
    ...(image
      ? [
          `image     ${shortDigest(image.imageDigest)}, ${image.packageCount} packages, ${formatBytes(image.dataBytes)}`,
        ]
      : []),
    ...(firstBoot ? [`system    ${firstBoot.hostname}, Linux ${firstBoot.kernel}`] : []),
    ...(target.kind === 'file' ? [`disk      ${target.path}`] : []),
    `log in    iguana demo --boot${disk}    (switches it on again, and says how)`,
    `history   iguana history ${machineId}`,
    `again     iguana demo${disk}           (quick: the image is in the store)`,
    'clean up  iguana demo --clean',
  ].join('\n');
}

/**
 * Ends a running demo and removes its files; the image stays in the store.
 * @param by who says so
 * @returns the folder that was removed
 */
export async function cleanDemo(iguana: Iguana, by: string): Promise<string> {
  await iguana.stopMachine(MACHINE);
  if (await iguana.isRunning(MACHINE)) {
    await iguana.abort(MACHINE, { by, reason: 'iguana demo --clean' });
    for await (const _ of iguana.watch(MACHINE)) {
      // Waits until it has cleaned up behind itself: the disk is in use until then.
    }
  }
  await rm(demoFolder(), { recursive: true, force: true });
  return demoFolder();
}
