/** What a machine asks for and its image cannot give: refused in words, nothing left mounted. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeSecret } from '../../../host/secrets.ts';
import { statePaths } from '../../../host/state.ts';
import { failureOf, useAgent } from '../../disk/harness/case.ts';
import { TWO_PARTITIONS } from '../harness/layouts.ts';
import { MachineCase, type MachinePart, type PersonaliseOptions } from '../harness/machine-case.ts';
import { storeSystem } from '../harness/system-image.ts';

const agent = useAgent();
let machine: MachineCase;

beforeAll(async () => {
  await storeSecret(statePaths({ IGUANA_STATE: `${agent().folder}/state` }), 'clear', 'correct horse');
  const image = await storeSystem(agent(), {
    filesystem: 'ext4',
    sizeMiB: 300,
    change:
      'rm usr/bin/sudo usr/lib/systemd/system/systemd-networkd.service; mkfifo srv/pipe; ln -s / srv/loop',
  });
  machine = MachineCase.create(agent(), { ...TWO_PARTITIONS, image });
  await machine.write();
});
afterAll(() => machine.release());

const file = (path: string, more: object = {}): MachinePart => ({ files: [{ path, content: 'x', ...more }] });

test.each<[string, MachinePart, PersonaliseOptions, string, RegExp]>([
  [
    'a secret that was never stored',
    { users: [{ name: 'ann', passwordHash: { secret: 'nobody-knows' } }] },
    {},
    'SecretMissing',
    /hash of user ann from secret nobody-knows: there is no such secret/,
  ],
  [
    'a secret that holds a password and no hash',
    { users: [{ name: 'ann', passwordHash: { secret: 'clear' } }] },
    {},
    'PersonaliseFailed',
    /from secret clear: it does not hold a crypt\(5\) hash/,
  ],
  [
    'sudo without sudo',
    { users: [{ name: 'ann', sudo: 'nopasswd' }] },
    {},
    'PersonaliseFailed',
    /ann sudo: the image has none/,
  ],
  [
    'sudo with a password nobody has',
    { users: [{ name: 'ann', sudo: 'password' }] },
    {},
    'PersonaliseFailed',
    /ann sudo with a password: the user has none/,
  ],
  [
    'a shell that is not there',
    { users: [{ name: 'ann', shell: '/bin/zsh' }] },
    {},
    'PersonaliseFailed',
    /no shell \/bin\/zsh/,
  ],
  [
    'keys of a user without home',
    { users: [{ name: 'nobody', shell: '/bin/sh', sshKeys: ['ssh-ed25519 AAAA'] }] },
    {},
    'PersonaliseFailed',
    /nobody: the image has no folder \/nonexistent/,
  ],
  [
    'a network without networkd',
    { network: [{ name: 'eth0', dhcp: 'yes' }] },
    {},
    'PersonaliseFailed',
    /no systemd-networkd.service/,
  ],
  ['no host name', { hostname: 'a_b' }, {}, 'PersonaliseFailed', /"a_b" is none/],
  [
    'an owner that does not exist',
    file('/srv/x', { owner: 'ann' }),
    {},
    'PersonaliseFailed',
    /there is no user ann/,
  ],
  ['a file on the ESP', file('/efi/x'), {}, 'PersonaliseFailed', /belong into the image/],
  ['a file that the next boot forgets', file('/run/x'), {}, 'PersonaliseFailed', /made anew at each boot/],
  ['account files by hand', file('/etc/passwd'), {}, 'PersonaliseFailed', /made from machine.users/],
  [
    'a file where a folder is',
    file('/etc/ssh'),
    {},
    'PersonaliseFailed',
    /\/etc\/ssh in the target: the image has a folder there/,
  ],
  ['a file below a file', file('/etc/fstab/x'), {}, 'PersonaliseFailed', /\/etc\/fstab is no folder/],
  ['a file in place of a pipe', file('/srv/pipe'), {}, 'PersonaliseFailed', /neither file, folder nor link/],
  ['a report over TLS', {}, { reportUrl: 'https://example.org/x' }, 'PersonaliseFailed', /is not http:/],
  ['a report to nowhere', {}, { reportUrl: 'nowhere' }, 'PersonaliseFailed', /nowhere is no URL/],
])('%s', async (_what, part, options, type, message) => {
  const failure = await failureOf(machine.amended(part).personalise(options));
  expect(failure.message).toMatch(message);
  expect(failure).toMatchObject({ type, nonRetryable: true });
  expect(JSON.stringify(failure)).not.toContain('correct horse');
  expect(await agent().shell('grep -F /run/iguana/mnt /proc/self/mountinfo || true')).toBe('');
});

test('after all these the disk still becomes a machine', async () => {
  const result = await machine.personalise();
  await machine.bootloader();
  await machine.verify(result);
});
