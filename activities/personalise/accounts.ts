/** The account databases of the target, computed from the image's own and the manifest; see passwd(5), shadow(5). */
import type { Manifest } from '../../manifest/schema/manifest.ts';
import { failure } from '../failures.ts';
import { type Row, renderTable, splitTable } from './account-table.ts';

type User = Manifest['machine']['users'][number];

/** The four files that hold users and groups, as text. */
export interface AccountFiles {
  readonly passwd: string;
  readonly shadow: string;
  readonly group: string;
  readonly gshadow: string;
  /** subuid(5) and subgid(5); where the image has none, nobody uses subordinate ids. */
  readonly subuid: string | undefined;
  readonly subgid: string | undefined;
}

/** A user as it is in the finished passwd. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** True where the image did not have the user. */
  readonly isNew: boolean;
}

/** A password hash for a user, already read where the manifest has only the name of a secret. */
export type PasswordHashes = ReadonlyMap<string, string>;

/** Fields of passwd(5) and group(5) by their place. */
const PASSWD = { password: 1, uid: 2, gid: 3, gecos: 4, home: 5, shell: 6 } as const;
const GROUP = { password: 1, gid: 2, members: 3 } as const;
const SHADOW = { password: 1, changed: 2 } as const;
/** First id for people, as in Debian's login.defs (UID_MIN, UID_MAX). */
const FIRST_ID = 1000;
const LAST_ID = 59_999;
/** Subordinate ids, as in Debian's login.defs (SUB_UID_MIN, SUB_UID_COUNT). */
const FIRST_SUBORDINATE_ID = 100_000;
const SUBORDINATE_IDS = 65_536;
const DAY_SECONDS = 86_400;

/** What {@link makeAccounts} answers. */
export interface Accounts {
  readonly files: AccountFiles;
  /** Every user of the finished passwd. */
  readonly users: ReadonlyMap<string, Account>;
  /** Every group of the finished group file, with its id. */
  readonly groups: ReadonlyMap<string, number>;
}

/**
 * Adds the manifest's groups and users to those of the image, and gives users of the image what the manifest says.
 * @param image the image's own files
 * @param hashes of all users that shall have a password
 * @param changedAt seconds since 1970 for the date of the passwords; fixed, so that a repeated run writes the same
 * @throws failure `PersonaliseFailed` where an id is taken, a group is missing, or an existing user would change its id
 */
export function makeAccounts(
  image: AccountFiles,
  machine: Pick<Manifest['machine'], 'users' | 'groups'>,
  hashes: PasswordHashes,
  changedAt: number,
): Accounts {
  const passwd = splitTable(image.passwd);
  const shadow = splitTable(image.shadow);
  const group = splitTable(image.group);
  const gshadow = splitTable(image.gshadow);
  const subuid = image.subuid === undefined ? undefined : splitTable(image.subuid);
  const subgid = image.subgid === undefined ? undefined : splitTable(image.subgid);
  const changed = String(Math.max(1, Math.floor(changedAt / DAY_SECONDS)));
  const isNew = new Set<string>();

  // Ids that are asked for come first, so that none of them is given to somebody who takes any; and users before
  // groups, so that a user's own group has the user's number.
  for (const { name, gid } of machine.groups) {
    if (gid !== undefined || find(group, name)) addGroup(group, gshadow, name, gid);
  }
  const users = [...machine.users].sort((a, b) => Number(a.uid === undefined) - Number(b.uid === undefined));
  for (const user of users) {
    const existing = find(passwd, user.name);
    if (existing) checkUid(existing, user);
    else {
      isNew.add(user.name);
      addUser(user);
    }
  }
  for (const { name, gid } of machine.groups) addGroup(group, gshadow, name, gid);
  for (const user of machine.users) {
    const row = find(passwd, user.name);
    if (!row) continue;
    row[PASSWD.shell] = user.shell;
    if (user.fullName !== '') row[PASSWD.gecos] = user.fullName;
    setPassword(row, user, isNew.has(user.name));
    for (const name of user.groups) joinGroup(user.name, name);
  }

  return {
    files: {
      passwd: renderTable(passwd),
      shadow: renderTable(shadow),
      group: renderTable(group),
      gshadow: renderTable(gshadow),
      subuid: subuid && renderTable(subuid),
      subgid: subgid && renderTable(subgid),
    },
    users: new Map(passwd.map((row) => [row[0] ?? '', toAccount(row, isNew)])),
    groups: new Map(group.map((row) => [row[0] ?? '', Number(row[GROUP.gid])])),
  };

  function addUser(user: User): void {
    const taken = ids(passwd, PASSWD.uid);
    if (user.uid !== undefined && taken.has(user.uid)) {
      const owner = passwd.find((row) => Number(row[PASSWD.uid]) === user.uid)?.[0];
      throw failure(
        'PersonaliseFailed',
        `adding user ${user.name}: uid ${user.uid} belongs to ${owner} already`,
      );
    }
    const uid = user.uid ?? nextId(taken, `adding user ${user.name}`);
    const ownGroup = find(group, user.name) ?? addOwnGroup(user.name, uid);
    passwd.push([
      user.name,
      'x',
      String(uid),
      ownGroup[GROUP.gid] ?? '',
      user.fullName,
      `/home/${user.name}`,
      user.shell,
    ]);
    for (const table of [subuid, subgid]) if (table) addSubordinate(table, user.name);
  }

  /** A group of the user's own name, with the same number where it is free. */
  function addOwnGroup(name: string, uid: number): Row {
    const taken = ids(group, GROUP.gid);
    const gid = taken.has(uid) ? nextId(taken, `adding group ${name}`) : uid;
    return addGroup(group, gshadow, name, gid);
  }

  function setPassword(row: Row, user: User, created: boolean): void {
    const hash = hashes.get(user.name);
    let entry = find(shadow, user.name);
    if (!entry) {
      if (!created && hash === undefined) return;
      // `*` matches no password; unlike `!` it does not lock the account, so keys still work without PAM (sshd(8)).
      entry = [user.name, '*', changed, '0', '99999', '7', '', '', ''];
      shadow.push(entry);
    }
    row[PASSWD.password] = 'x';
    if (hash === undefined) return;
    entry[SHADOW.password] = hash;
    entry[SHADOW.changed] = changed;
  }

  function joinGroup(user: string, name: string): void {
    const row = find(group, name);
    if (!row) {
      throw failure('PersonaliseFailed', `adding user ${user} to group ${name}: there is no such group`, {
        remedy: 'Add the group to machine.groups, or its package to image.packages, then amend.',
      });
    }
    addMember(row, GROUP.members, user);
    const shadowRow = find(gshadow, name);
    if (shadowRow) addMember(shadowRow, GROUP.members, user);
  }
}

function addSubordinate(table: Row[], name: string): void {
  const ends = table.map((row) => Number(row[1]) + Number(row[2]));
  table.push([name, String(Math.max(FIRST_SUBORDINATE_ID, ...ends)), String(SUBORDINATE_IDS)]);
}

function addGroup(group: Row[], gshadow: Row[], name: string, wanted: number | undefined): Row {
  const taken = ids(group, GROUP.gid);
  const existing = find(group, name);
  if (existing) {
    if (wanted === undefined || Number(existing[GROUP.gid]) === wanted) return existing;
    throw failure(
      'PersonaliseFailed',
      `adding group ${name}: the image has it with gid ${existing[GROUP.gid]}, not ${wanted}`,
    );
  }
  if (wanted !== undefined && taken.has(wanted)) {
    const owner = group.find((row) => Number(row[GROUP.gid]) === wanted)?.[0];
    throw failure('PersonaliseFailed', `adding group ${name}: gid ${wanted} belongs to ${owner} already`);
  }
  const row: Row = [name, 'x', String(wanted ?? nextId(taken, `adding group ${name}`)), ''];
  group.push(row);
  gshadow.push([name, '!', '', '']);
  return row;
}

/** Changing the id of a user that owns files in the image would leave them to nobody. */
function checkUid(row: Row, user: User): void {
  if (user.uid === undefined || Number(row[PASSWD.uid]) === user.uid) return;
  throw failure(
    'PersonaliseFailed',
    `changing user ${user.name}: the image has it with uid ${row[PASSWD.uid]}, not ${user.uid}`,
  );
}

function addMember(row: Row, field: number, user: string): void {
  const members = (row[field] ?? '').split(',').filter((member) => member !== '');
  if (!members.includes(user)) row[field] = [...members, user].join();
}

function nextId(taken: ReadonlySet<number>, doing: string): number {
  for (let id = FIRST_ID; id <= LAST_ID; id++) if (!taken.has(id)) return id;
  throw failure('PersonaliseFailed', `${doing}: no id from ${FIRST_ID} to ${LAST_ID} is free`);
}

const find = (table: Row[], name: string): Row | undefined => table.find((row) => row[0] === name);

const ids = (table: readonly Row[], field: number): Set<number> =>
  new Set(table.map((row) => Number(row[field])));

function toAccount(row: Row, isNew: ReadonlySet<string>): Account {
  const name = row[0] ?? '';
  return {
    name,
    uid: Number(row[PASSWD.uid]),
    gid: Number(row[PASSWD.gid]),
    home: row[PASSWD.home] ?? '',
    isNew: isNew.has(name),
  };
}
