/** The empty virtual machine of a demo: it starts from the boot image, and knows only where its gateway is and a token. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { VirtualMachineInput } from '../../activities/contract.ts';
import { makeBootImage } from '../../host/boot/boot-image.ts';
import { authorityDigest } from '../../host/enrolment/authority-digest.ts';
import { gatewayPaths } from '../../host/enrolment/paths.ts';
import { createToken } from '../../host/enrolment/tokens.ts';
import { freePort } from '../../host/free-port.ts';
import { asGuestsSee } from '../../host/guest-network.ts';
import { readJsonFile, writeJsonFile } from '../../host/json-file.ts';
import { findServer } from '../../host/server-record.ts';
import { statePaths } from '../../host/state.ts';
import { CommandError } from '../errors.ts';
import { resolveTarget } from '../install/target.ts';

/** Easy to remember; another one where it is taken. */
const SSH_PORT = 2222;
/** As little as a machine needs. */
const MEMORY_MIB = 1024;
const CPUS = 2;

/** Where the demo keeps its machine and its key. */
export const demoFolder = (): string => join(statePaths().root, 'demo');
/** Where its disk is, unless somebody says another place. */
export const ownDisk = (): string => join(demoFolder(), 'disk.img');
const recordFile = (): string => join(demoFolder(), 'machine.json');

/** @returns the machine of the last demo, undefined where there was none, or it has been removed */
export const lastMachine = (): Promise<VirtualMachineInput | undefined> =>
  readJsonFile<VirtualMachineInput>(recordFile());

/**
 * A new machine with a new id, and a token that only it can use. The token is in the initrd, where only the owner of the demo's folder can
 * read it, since everybody can read the words that a kernel is given.
 * @param disk path of its disk image; default {@link ownDisk}, which is made anew
 * @param tell told what is being done
 * @throws CommandError where there is no gateway on this host, or the disk is none
 */
export async function makeMachine(
  disk: string | undefined,
  tell: (line: string) => void,
): Promise<VirtualMachineInput> {
  const paths = statePaths();
  const gateway = (await findServer(paths))?.gatewayAddress;
  const ca = await authorityDigest(gatewayPaths(paths));
  if (gateway === undefined || ca === undefined) {
    throw new CommandError('the demo needs a gateway on this host, at which its machine enrols', {
      remedy:
        '`iguana server` has one: unset TEMPORAL_ADDRESS, or restart a server of an older version with `iguana server stop`.',
    });
  }
  const machineId = randomUUID();
  const path = await emptyDisk(disk);
  const { token } = await createToken(gatewayPaths(paths), { name: 'demo', machineId });
  const { kernel, initrd } = await makeBootImage(paths, {
    variant: 'virtual',
    baked: true,
    folder: join(demoFolder(), 'boot'),
    server: asGuestsSee(gateway).origin,
    ca,
    token,
    onLine: tell,
  });
  const machine: VirtualMachineInput = {
    machineId,
    path,
    memoryMiB: MEMORY_MIB,
    cpus: CPUS,
    sshPort: await freePort(SSH_PORT),
    // Without working hardware virtualisation a kernel may panic at its start; then it starts again.
    boot: { kernel, initrd, commandLine: 'console=ttyS0 quiet panic=10' },
  };
  await writeJsonFile(recordFile(), machine);
  return machine;
}

async function emptyDisk(disk: string | undefined): Promise<string> {
  await mkdir(demoFolder(), { recursive: true, mode: 0o700 });
  if (disk === undefined) await rm(ownDisk(), { force: true });
  const { target } = await resolveTarget(disk ?? ownDisk());
  if (target.kind !== 'file')
    throw new CommandError("the disk of the demo's machine is a disk image, not a disk");
  const file = await open(target.path, 'a');
  try {
    await file.truncate(target.sizeBytes);
  } finally {
    await file.close();
  }
  return target.path;
}
