/** What makes a machine itself and must never be the same on two: machine-id, SSH host keys, the report's token. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../disk/command.ts';
import { derivedUuid } from '../partition/uuids.ts';
import { type Entries, file } from './entry.ts';
import { TOKEN_BYTES, TOKEN_FILE } from './first-boot.ts';
import type { PristineTree } from './pristine.ts';
import type { ChangeRecord } from './record.ts';
import type { RootTree } from './root-tree.ts';

const KEY_TYPES = ['ed25519', 'ecdsa', 'rsa'] as const;
const MACHINE_ID_FILE = '/etc/machine-id';
const hostKey = (type: string): string => `/etc/ssh/ssh_host_${type}_key`;

/** @returns the machine's /etc/machine-id; see machine-id(5) */
export function machineIdEntries(installId: string): Entries {
  const id = derivedUuid(installId, 'machine-id').replaceAll('-', '');
  return new Map([[MACHINE_ID_FILE, file(`${id}\n`, 0o444)]]);
}

/** @returns an empty /etc/machine-id, which the first boot fills, and no host keys */
export async function genericIdentityEntries(image: PristineTree): Promise<Entries> {
  const entries: Entries = new Map([[MACHINE_ID_FILE, file('', 0o444)]]);
  for (const path of KEY_TYPES.map(hostKey).flatMap((key) => [key, `${key}.pub`])) {
    if (await image.stat(path)) entries.set(path, { type: 'absent' });
  }
  return entries;
}

/**
 * SSH host keys: those of an earlier run of the same install, else new ones. None where the image has no sshd.
 * Keys that are in the image itself are replaced: every machine with that image would have them.
 * @param workFolder a folder on the target, so that private keys are never on any other disk
 */
export async function hostKeyEntries(
  tree: RootTree,
  record: ChangeRecord,
  image: PristineTree,
  workFolder: string,
): Promise<Entries> {
  const entries: Entries = new Map();
  if ((await image.stat('/usr/sbin/sshd')) === undefined) return entries;
  const folder = await mkdtemp(join(workFolder, 'keys-'));
  try {
    for (const type of KEY_TYPES) {
      const path = hostKey(type);
      const kept = await ownFile(tree, record, path);
      const keptPublic = await ownFile(tree, record, `${path}.pub`);
      if (kept && keptPublic) {
        entries.set(path, file(kept, 0o600)).set(`${path}.pub`, file(keptPublic));
        continue;
      }
      const made = join(folder, type);
      await runTool('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', '', '-f', made], {
        doing: `making the SSH host key ${path}`,
      });
      entries.set(path, file(await readFile(made), 0o600));
      entries.set(`${path}.pub`, file(await readFile(`${made}.pub`)));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return entries;
}

/** @returns the token of an earlier run of the same install, else a new one; hexadecimal */
export async function reportToken(tree: RootTree, record: ChangeRecord): Promise<string> {
  const kept = await ownFile(tree, record, TOKEN_FILE);
  return kept?.toString('utf8') ?? randomBytes(TOKEN_BYTES).toString('hex');
}

/** What an earlier run put at a path; undefined where what is there is the image's. */
async function ownFile(tree: RootTree, record: ChangeRecord, path: string): Promise<Buffer | undefined> {
  const canonical = await tree.canonical(path);
  const original = record.original(canonical);
  if (!original) return undefined;
  const content = await tree.read(canonical);
  if (!content || original.type !== 'file') return content;
  // Remembered but not yet replaced when the earlier run was killed: still the image's own.
  return content.equals(await readFile(record.copyOf(canonical))) ? undefined : content;
}
