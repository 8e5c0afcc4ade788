/** The key pair that lets a person log in to the demo; it is of no use anywhere else. */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { CommandError } from '../errors.ts';

/** Name of the private key in the demo's folder. */
export const KEY_FILE = 'id_ed25519';

/**
 * The key pair; made where it is not there yet.
 * @returns the public key as a line of authorized_keys
 * @throws CommandError where ssh-keygen is missing
 */
export async function demoKey(folder: string): Promise<string> {
  const path = join(folder, KEY_FILE);
  try {
    await access(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    try {
      await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'iguana-demo', '-f', path]);
    } catch (cause) {
      throw new CommandError('making an SSH key for the demo', {
        remedy: 'ssh-keygen is in the package openssh-client; `iguana doctor` tells what else is missing.',
        cause,
      });
    }
  }
  return (await readFile(`${path}.pub`, 'utf8')).trim();
}
