/** Files that a manifest has for one machine only. */
import type { Manifest } from '../../manifest/schema/manifest.ts';
import { failure } from '../failures.ts';
import type { Accounts } from './accounts.ts';
import type { Entries } from './entry.ts';
import { STATE_FOLDER } from './record.ts';
import { ACCOUNT_FILES } from './users.ts';

type MachineFile = Manifest['machine']['files'][number];

/** Filesystems that the kernel makes anew at each boot: a file below them would be gone. */
const VOLATILE = ['/dev', '/proc', '/run', '/sys'];

/**
 * @param accounts of the finished system; owners are resolved in them
 * @param unreachable mount points of filesystems that cannot be written here (vfat)
 * @throws failure `PersonaliseFailed` where a path cannot be written or an owner does not exist
 */
export function machineFileEntries(
  files: readonly MachineFile[],
  accounts: Accounts,
  unreachable: readonly string[],
): Entries {
  return new Map(
    files.map((file) => {
      checkPlace(file.path, unreachable);
      const uid = resolve(file, 'user', file.owner, (name) => accounts.users.get(name)?.uid);
      const gid = resolve(file, 'group', file.group, (name) => accounts.groups.get(name));
      const content = Buffer.from(file.content, file.encoding === 'base64' ? 'base64' : 'utf8');
      return [file.path, { type: 'file', mode: Number.parseInt(file.mode, 8), uid, gid, content }] as const;
    }),
  );
}

function checkPlace(path: string, unreachable: readonly string[]): void {
  const below = (folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
  const refuse = (why: string): never => {
    throw failure('PersonaliseFailed', `writing ${path} in the target: ${why}`);
  };
  if (ACCOUNT_FILES.has(path)) refuse('it is made from machine.users and machine.groups');
  if (below(STATE_FOLDER)) refuse(`${STATE_FOLDER} is Iguana's own`);
  if (VOLATILE.some(below)) refuse('what is there is made anew at each boot');
  if (unreachable.some(below)) refuse('files on a vfat filesystem belong into the image');
}

function resolve(
  file: MachineFile,
  kind: 'user' | 'group',
  name: string,
  find: (name: string) => number | undefined,
): number {
  const id = /^\d+$/.test(name) ? Number(name) : find(name);
  if (id !== undefined) return id;
  throw failure('PersonaliseFailed', `writing ${file.path} in the target: there is no ${kind} ${name}`);
}
