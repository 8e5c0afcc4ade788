/** An OpenPGP key that signs nothing. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** @returns a new public key, armoured */
export async function foreignKey(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'iguana-gpg-'));
  const gpg = (...args: string[]) => execa('gpg', ['--homedir', home, '--batch', ...args]);
  try {
    await gpg(
      '--passphrase',
      '',
      '--quick-generate-key',
      'Somebody <somebody@example.org>',
      'ed25519',
      'sign',
    );
    return (await gpg('--armor', '--export')).stdout;
  } finally {
    await execa('gpgconf', ['--homedir', home, '--kill', 'all']);
    await rm(home, { recursive: true, force: true });
  }
}
