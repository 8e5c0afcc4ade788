/** Users and groups of one machine: account files, home folders, SSH keys, sudo. */
import { posix } from 'node:path';
import type { Manifest } from '../../manifest/schema/manifest.ts';
import { failure } from '../failures.ts';
import {
  type Account,
  type AccountFiles,
  type Accounts,
  makeAccounts,
  type PasswordHashes,
} from './accounts.ts';
import { directory, type Entries, type Entry, file } from './entry.ts';
import type { PristineTree } from './pristine.ts';
import type { SecretSource } from './secret-source.ts';

type User = Manifest['machine']['users'][number];

/** As in the schema of profiles; a secret is checked when it is read, since nobody could before. */
const CRYPT_HASH = /^\$(y|gy|7|2[aby]|6|5)\$[./A-Za-z0-9$=,+-]+$/;
/** Debian's adduser makes home folders that others cannot read (DIR_MODE since Debian 12). */
const HOME_MODE = 0o700;
/** sudo refuses a file that anybody may write; 0440 is what its own documentation asks for (sudoers(5)). */
const SUDOERS_MODE = 0o440;

const ACCOUNT_PATHS: { readonly [File in keyof AccountFiles]: string } = {
  passwd: '/etc/passwd',
  shadow: '/etc/shadow',
  group: '/etc/group',
  gshadow: '/etc/gshadow',
  subuid: '/etc/subuid',
  subgid: '/etc/subgid',
};
/** For files that the image does not have at all. */
const SECRET_FILES = new Set(['/etc/shadow', '/etc/gshadow']);

/** Files that belong to this module alone; nothing else may set them. */
export const ACCOUNT_FILES: ReadonlySet<string> = new Set(Object.values(ACCOUNT_PATHS));

/**
 * Entries for all users and groups of a manifest.
 * @throws failure `SecretMissing`; `PersonaliseFailed` where the image lacks what a user needs
 */
export async function userEntries(
  secrets: SecretSource,
  image: PristineTree,
  manifest: Manifest,
): Promise<{ entries: Entries; accounts: Accounts }> {
  const { machine } = manifest;
  const accounts = makeAccounts(
    {
      passwd: await image.text(ACCOUNT_PATHS.passwd),
      shadow: await image.text(ACCOUNT_PATHS.shadow),
      group: await image.text(ACCOUNT_PATHS.group),
      gshadow: await image.text(ACCOUNT_PATHS.gshadow),
      subuid: (await image.read(ACCOUNT_PATHS.subuid))?.toString('utf8'),
      subgid: (await image.read(ACCOUNT_PATHS.subgid))?.toString('utf8'),
    },
    machine,
    await readHashes(secrets, machine.users),
    manifest.image.sourceDateEpoch,
  );
  const entries: Entries = new Map();
  if (machine.users.length > 0 || machine.groups.length > 0) {
    for (const [name, path] of Object.entries(ACCOUNT_PATHS)) {
      const text = accounts.files[name as keyof AccountFiles];
      if (text !== undefined) entries.set(path, await accountFile(image, path, text));
    }
  }
  for (const user of machine.users) {
    const account = accounts.users.get(user.name);
    if (!account) continue;
    await checkShell(image, user);
    if (account.isNew) await addHome(entries, image, account);
    if (user.sshKeys.length > 0) await addKeys(entries, image, account, user);
    if (user.sudo !== 'no') await addSudo(entries, image, user);
  }
  return { entries, accounts };
}

/** The image's owner and permissions are kept: which group may read shadow is the distribution's business. */
async function accountFile(image: PristineTree, path: string, text: string): Promise<Entry> {
  const stat = await image.stat(path);
  const entry = file(text, SECRET_FILES.has(path) ? 0o600 : 0o644);
  return stat ? { ...entry, mode: stat.mode, uid: stat.uid, gid: stat.gid } : entry;
}

async function readHashes(secrets: SecretSource, users: readonly User[]): Promise<PasswordHashes> {
  const hashes = new Map<string, string>();
  for (const { name, passwordHash, sudo } of users) {
    if (passwordHash === undefined) {
      if (sudo === 'password') {
        throw failure('PersonaliseFailed', `giving user ${name} sudo with a password: the user has none`, {
          remedy: 'Give the user a passwordHash, or say `sudo: nopasswd`, then amend.',
        });
      }
      continue;
    }
    if (typeof passwordHash === 'string') {
      hashes.set(name, passwordHash);
      continue;
    }
    const value = (await secrets(passwordHash.secret))?.trim();
    const doing = `reading the password hash of user ${name} from secret ${passwordHash.secret}`;
    if (value === undefined) throw failure('SecretMissing', `${doing}: there is no such secret`);
    if (!CRYPT_HASH.test(value)) {
      // What it holds instead is not shown: it may be the password itself.
      throw failure('PersonaliseFailed', `${doing}: it does not hold a crypt(5) hash`, {
        remedy: 'Store what `mkpasswd` prints with `iguana secret set`, then retry.',
      });
    }
    hashes.set(name, value);
  }
  return hashes;
}

async function checkShell(image: PristineTree, { name, shell }: User): Promise<void> {
  const stat = await image.stat(shell);
  if (stat?.type === 'file' && (stat.mode & 0o111) !== 0) return;
  throw failure('PersonaliseFailed', `adding user ${name}: the image has no shell ${shell}`, {
    remedy: 'Add the package of the shell to image.packages, or name another shell, then amend.',
  });
}

/** A home folder that the image has keeps its content and gets the owner. */
async function addHome(entries: Entries, image: PristineTree, account: Account): Promise<void> {
  const { home, uid, gid } = account;
  const isInImage = (await image.stat(home)) !== undefined;
  entries.set(home, { ...directory(HOME_MODE), uid, gid });
  if (!isInImage) await copySkeleton(entries, image, '/etc/skel', account, home);
}

async function copySkeleton(
  entries: Entries,
  image: PristineTree,
  from: string,
  account: Account,
  to: string,
): Promise<void> {
  const { uid, gid } = account;
  for (const name of await image.list(from)) {
    const source = posix.join(from, name);
    const target = posix.join(to, name);
    const stat = await image.stat(source);
    if (stat?.type === 'directory') {
      entries.set(target, { type: 'directory', mode: stat.mode, uid, gid });
      await copySkeleton(entries, image, source, account, target);
    } else if (stat?.type === 'file') {
      const content = (await image.read(source)) ?? Buffer.alloc(0);
      entries.set(target, { type: 'file', mode: stat.mode, uid, gid, content });
    }
  }
}

async function addKeys(entries: Entries, image: PristineTree, account: Account, user: User): Promise<void> {
  const { name, home, uid, gid } = account;
  const stat = account.isNew ? undefined : await image.stat(home);
  if (!account.isNew && stat?.type !== 'directory') {
    throw failure('PersonaliseFailed', `adding SSH keys of user ${name}: the image has no folder ${home}`);
  }
  const owner = { uid, gid };
  entries.set(posix.join(home, '.ssh'), { ...directory(0o700), ...owner });
  const keys = user.sshKeys.map((key) => `${key.trim()}\n`).join('');
  entries.set(posix.join(home, '.ssh/authorized_keys'), { ...file(keys, 0o600), ...owner });
}

async function addSudo(entries: Entries, image: PristineTree, { name, sudo }: User): Promise<void> {
  if (
    (await image.stat('/usr/bin/sudo')) === undefined ||
    (await image.stat('/etc/sudoers.d')) === undefined
  ) {
    throw failure('PersonaliseFailed', `giving user ${name} sudo: the image has none`, {
      remedy: 'Add package sudo to image.packages, then amend.',
    });
  }
  // No dot in the name: sudo does not read such files (sudoers(5)); user names have none.
  const tag = sudo === 'nopasswd' ? 'NOPASSWD: ' : '';
  entries.set(`/etc/sudoers.d/iguana-${name}`, file(`${name} ALL=(ALL:ALL) ${tag}ALL\n`, SUDOERS_MODE));
}
