/** Account files, computed: tables of what goes in, what comes out, and what is refused. */
import { expect, test } from 'vitest';
import { type AccountFiles, makeAccounts } from '../../../activities/personalise/accounts.ts';
import { machineSchema } from '../../../manifest/schema/machine.ts';

const IMAGE: AccountFiles = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n',
  shadow: 'root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n',
  group: 'root:x:0:\nadm:x:4:\nusers:x:100:\n',
  gshadow: 'root:*::\nadm:*::\nusers:*::\n',
  subuid: '',
  subgid: 'other:100000:65536\n',
};
const HASH = '$6$salt$hash';
/** 20 000 days after 1970. */
const WHEN = 20_000 * 86_400;

function make(machine: object, image: Partial<AccountFiles> = {}, hashes: Record<string, string> = {}) {
  const parsed = machineSchema.parse({
    hostname: 'x',
    network: [],
    users: [],
    groups: [],
    files: [],
    firstBoot: [],
    ...machine,
  });
  return makeAccounts({ ...IMAGE, ...image }, parsed, new Map(Object.entries(hashes)), WHEN);
}

test('nothing wanted changes nothing', () => {
  expect(make({}).files).toEqual(IMAGE);
});

test('a new user gets the next id, a group of its own, subordinate ids, no password, and may log in by key', () => {
  const { files, users } = make({ users: [{ name: 'ann', fullName: 'Ann A' }] });
  expect(files.passwd).toBe(`${IMAGE.passwd}ann:x:1000:1000:Ann A:/home/ann:/bin/bash\n`);
  expect(files.shadow).toBe(`${IMAGE.shadow}ann:*:20000:0:99999:7:::\n`);
  expect(files.group).toBe(`${IMAGE.group}ann:x:1000:\n`);
  expect(files.gshadow).toBe(`${IMAGE.gshadow}ann:!::\n`);
  expect(files.subuid).toBe('ann:100000:65536\n');
  expect(files.subgid).toBe('other:100000:65536\nann:165536:65536\n');
  expect(users.get('ann')).toEqual({ name: 'ann', uid: 1000, gid: 1000, home: '/home/ann', isNew: true });
});

test('an image without subordinate ids gets none', () => {
  const { files } = make({ users: [{ name: 'ann' }] }, { subuid: undefined, subgid: undefined });
  expect(files.subuid).toBeUndefined();
  expect(files.subgid).toBeUndefined();
});

test('ids that are asked for are never given to somebody else', () => {
  const { users, groups } = make({
    users: [{ name: 'first' }, { name: 'second', uid: 1000 }],
    groups: [{ name: 'ops' }, { name: 'web', gid: 1001 }],
  });
  expect(users.get('second')?.uid).toBe(1000);
  expect(users.get('first')).toMatchObject({ uid: 1001, gid: 1002 });
  expect(groups.get('web')).toBe(1001);
  expect(groups.get('ops')).toBe(1003);
});

test('a user joins groups, once', () => {
  const { files } = make({
    users: [{ name: 'ann', groups: ['adm', 'ops', 'adm'] }],
    groups: [{ name: 'ops' }],
  });
  expect(files.group).toContain('adm:x:4:ann\n');
  expect(files.group).toContain('ops:x:1001:ann\n');
  expect(files.gshadow).toContain('adm:*::ann\n');
});

test('a user of the image keeps id, home and what is not said', () => {
  const { files, users } = make({ users: [{ name: 'root' }] }, {}, { root: HASH });
  expect(files.passwd).toContain('root:x:0:0:root:/root:/bin/bash\n');
  expect(files.shadow).toContain(`root:${HASH}:20000:0:99999:7:::\n`);
  expect(users.get('root')).toMatchObject({ uid: 0, home: '/root', isNew: false });
});

test('without a hash the password of the image stays', () => {
  expect(make({ users: [{ name: 'root' }] }).files.shadow).toBe(IMAGE.shadow);
});

test('a user that the image forgot in shadow gets a line there when it gets a password', () => {
  const { files } = make({ users: [{ name: 'root' }] }, { shadow: '' }, { root: HASH });
  expect(files.shadow).toBe(`root:${HASH}:20000:0:99999:7:::\n`);
});

test('what was made is read as the same again', () => {
  const machine = { users: [{ name: 'ann', groups: ['adm'] }], groups: [{ name: 'ops' }] };
  const once = make(machine, {}, { ann: HASH }).files;
  expect(make(machine, once, { ann: HASH }).files).toEqual(once);
});

test.each([
  ['a uid that is taken', { users: [{ name: 'ann', uid: 1 }] }, /ann: uid 1 belongs to daemon/],
  [
    'another uid for a user of the image',
    { users: [{ name: 'daemon', uid: 7 }] },
    /daemon: the image has it with uid 1/,
  ],
  [
    'a group that does not exist',
    { users: [{ name: 'ann', groups: ['nope'] }] },
    /ann to group nope: there is no such group/,
  ],
  ['a gid that is taken', { groups: [{ name: 'ops', gid: 4 }] }, /ops: gid 4 belongs to adm/],
  [
    'another gid for a group of the image',
    { groups: [{ name: 'adm', gid: 5 }] },
    /adm: the image has it with gid 4/,
  ],
])('refuses %s', (_what, machine, message) => {
  expect(() => make(machine)).toThrow(message);
});
