/** A guest that is reached by SSH through QEMU's port forwarding. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';

/** A system that boots under TCG takes a minute or two on a busy host. */
const ATTEMPTS = 120;
const WAIT_MS = 2_000;

/** The key pair that a test logs in with. */
export interface LoginKey {
  readonly file: string;
  readonly publicKey: string;
}

/** Makes a key pair in a folder. */
export async function makeLoginKey(folder: string): Promise<LoginKey> {
  const file = join(folder, 'login-key');
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
  return { file, publicKey: (await readFile(`${file}.pub`, 'utf8')).trim() };
}

/** Runs a script in the guest's shell; waits for sshd for as long as the guest may boot. */
export async function inGuest(port: number, user: string, key: LoginKey, script: string): Promise<string> {
  const options = [
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
    'BatchMode=yes',
  ];
  const args = [
    ...['-i', key.file, '-p', String(port), '-o', 'ConnectTimeout=10'],
    ...options.flatMap((option) => ['-o', option]),
    ...[`${user}@127.0.0.1`, script],
  ];
  for (let attempt = 1; ; attempt++) {
    const { exitCode, stdout, stderr } = await execa('ssh', args, { reject: false, stdin: 'ignore' });
    if (exitCode === 0) return stdout;
    // 255: ssh itself failed; anything else is the script's own.
    if (exitCode !== 255 || attempt === ATTEMPTS)
      throw new Error(`in the guest (${exitCode}): ${stdout}\n${stderr}`);
    await sleep(WAIT_MS);
  }
}
