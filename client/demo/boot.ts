/** Switching on what the demo installed, to log in. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VirtualMachineInput } from '../../activities/contract.ts';
import { CommandError } from '../errors.ts';
import type { Iguana } from '../library.ts';
import { demoFolder } from './machine.ts';
import { KEY_FILE } from './ssh-key.ts';

/** How to log in. */
export interface Access {
  readonly user: string;
  readonly port: number;
  readonly keyFile: string;
  readonly command: string;
}

/** Without hardware virtualisation a boot takes a minute or two. */
const BOOT_DEADLINE_MS = 10 * 60_000;
const ATTEMPT_MS = 2_000;

/**
 * Boots the machine and waits until SSH answers.
 * @throws CommandError where it has no user or no port for SSH, or SSH does not answer
 */
export async function bootMachine(
  iguana: Iguana,
  { machineId, path }: VirtualMachineInput,
  tell: (line: string) => void,
): Promise<Access> {
  const { machine, handoff } = await iguana.manifest(machineId);
  const port = handoff.virtualMachine.sshPort;
  const user = machine.users[0]?.name;
  if (!user || port === 0) throw new CommandError(`booting ${machineId}: nobody could log in`);
  await iguana.runMachine(machineId, path);
  tell('switched on; waiting until SSH answers');
  if (!(await sshAnswers(port))) {
    throw new CommandError(`booting ${machineId}: SSH does not answer on port ${port}`, {
      remedy: `Its console log is consoles/${machineId}.log in the state folder.`,
    });
  }
  const keyFile = join(demoFolder(), KEY_FILE);
  // Its host key is new with every demo, and it is reached over loopback only.
  const options = '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR';
  return { user, port, keyFile, command: `ssh -p ${port} -i ${keyFile} ${options} ${user}@127.0.0.1` };
}

/** QEMU accepts connections before the guest does: only the server's greeting (RFC 4253, 4.2) counts. */
async function sshAnswers(port: number): Promise<boolean> {
  const deadline = Date.now() + BOOT_DEADLINE_MS;
  while (Date.now() < deadline) {
    if (await greets(port)) return true;
    await sleep(ATTEMPT_MS);
  }
  return false;
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const answer = (greeted: boolean): void => {
      socket.destroy();
      resolve(greeted);
    };
    socket.setTimeout(ATTEMPT_MS, () => answer(false));
    socket.once('data', (greeting) => answer(greeting.toString('latin1').startsWith('SSH-')));
    // Refused, or closed without a word: it is not up yet.
    socket.once('error', () => answer(false));
    socket.once('end', () => answer(false));
  });
}
