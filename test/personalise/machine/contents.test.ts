/** One machine with something of everything, judged by the tools of the installed system itself. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PersonaliseResult } from '../../../activities/contract.ts';
import { storeSecret } from '../../../host/secrets.ts';
import { statePaths } from '../../../host/state.ts';
import { useAgent } from '../../disk/harness/case.ts';
import { FULL_MACHINE, MANY_PARTITIONS, PASSWORD_HASH, SSH_KEY } from '../harness/layouts.ts';
import { MachineCase } from '../harness/machine-case.ts';
import { storeSystem } from '../harness/system-image.ts';

const agent = useAgent();
const BOB_HASH = `$y$j9T$salt$${'b'.repeat(43)}`;
const TOKEN_FILE = 'etc/iguana/first-boot/token';

let machine: MachineCase;
let result: PersonaliseResult;

beforeAll(async () => {
  const paths = statePaths({ IGUANA_STATE: `${agent().folder}/state` });
  await storeSecret(paths, 'bob', `${BOB_HASH}\n`);
  const image = await storeSystem(agent(), {
    filesystem: 'ext4',
    sizeMiB: 300,
    // Content below mount points: hard links, holes, attributes and owners must survive being moved.
    change: `
      mkdir -p home/old srv/links
      echo x > var/log/first; ln var/log/first var/log/second
      truncate --size 8M var/sparse
      chown 33:33 home/old; chmod 2750 home/old
      echo 'old keys' > etc/ssh/ssh_host_ed25519_key
    `,
  });
  machine = MachineCase.create(agent(), { ...MANY_PARTITIONS, machine: FULL_MACHINE, image });
  await machine.write();
  result = await machine.personalise({ reportUrl: 'http://192.0.2.1:8080/first-boot?x=1' });
});

afterAll(() => machine.release());

/** Runs a command of the installed system, in it. */
const inside = (command: string): Promise<string> =>
  machine.look(`
    mount -t tmpfs none run; mkdir run/sshd; mount --bind /proc proc; mount --bind /dev dev
    chroot . /bin/sh -euc '${command.replaceAll("'", "'\\''")}'
  `);

describe('accounts', () => {
  test('users and groups are what the system itself finds', async () => {
    expect(await inside('getent passwd alice bob root')).toBe(
      [
        'alice:x:1000:1000:Alice Example:/home/alice:/bin/bash',
        'bob:x:1234:1234::/home/bob:/bin/sh',
        'root:x:0:0:root:/root:/bin/bash',
      ].join('\n'),
    );
    expect(await inside('id -Gn alice')).toBe('alice adm ops');
    expect(await inside('getent shadow alice | cut -d: -f2; getent shadow bob | cut -d: -f2')).toBe(
      `${PASSWORD_HASH}\n${BOB_HASH}`,
    );
  });

  test('pwck and grpck find nothing to say about them', async () => {
    // Users of packages have homes that are made when they are needed: pwck says so of those, and of nobody else.
    const words = await inside('pwck --read-only || true; grpck --read-only');
    expect(words.split('\n').filter((line) => /alice|bob|shadow|invalid|duplicate/.test(line))).toEqual([]);
  });

  test('homes are from the skeleton, with owners, and keys only their owners can read', async () => {
    expect(await inside("cd /home/alice; find . -printf '%P %m %u:%g\\n' | sort")).toBe(
      [
        ' 700 alice:alice',
        '.bash_logout 644 alice:alice',
        '.bashrc 644 alice:alice',
        '.profile 644 alice:alice',
        '.ssh 700 alice:alice',
        '.ssh/authorized_keys 600 alice:alice',
      ].join('\n'),
    );
    expect(await inside('cmp /etc/skel/.bashrc /home/bob/.bashrc; cat /root/.ssh/authorized_keys')).toBe(
      SSH_KEY,
    );
  });

  test('sudo accepts its files', async () => {
    expect(await inside('visudo --check --quiet; stat -c "%a %U" /etc/sudoers.d/iguana-alice')).toBe(
      '440 root',
    );
    expect(await inside('sudo -l -U alice | tail -1')).toContain('NOPASSWD: ALL');
    expect(await inside('sudo -l -U bob | tail -1')).toContain('(ALL : ALL) ALL');
  });
});

describe('identity', () => {
  test('machine-id is valid, host keys are new and fit together', async () => {
    expect(await inside('cat /etc/machine-id')).toMatch(/^[0-9a-f]{32}$/);
    const keys = await inside(`
      for K in /etc/ssh/ssh_host_*_key; do
        stat -c "%n %a %U" $K; ssh-keygen -y -f $K | cut -d" " -f1,2 > /run/a; cut -d" " -f1,2 $K.pub | cmp - /run/a
      done; sshd -t
    `);
    expect(keys.split('\n')).toEqual(
      ['ecdsa', 'ed25519', 'rsa'].map((type) => `/etc/ssh/ssh_host_${type}_key 600 root`),
    );
  });

  test('the token is 256 random bits that only root can read; what is told is its digest', async () => {
    const token = await machine.look(`cat ${TOKEN_FILE}`);
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(await machine.look(`sha256sum < ${TOKEN_FILE} | cut -d' ' -f1`)).toBe(
      result.tokenDigest?.replace('sha256:', ''),
    );
    expect(await machine.look(`stat -c '%a %u' ${TOKEN_FILE}; stat -c '%a %u' etc/iguana`)).toBe(
      '600 0\n700 0',
    );
    expect(JSON.stringify(result)).not.toContain(token);
  });

  test('the root filesystem has a UUID of its own, and fstab names the filesystems that are there', async () => {
    const uuids = await Promise.all(
      machine.manifest.storage.partitions.map(({ offsetBytes, sizeBytes }) =>
        agent().shell(
          `blkid -p -s UUID -o value --offset ${offsetBytes} --size ${sizeBytes} ${machine.path}`,
        ),
      ),
    );
    expect(new Set(uuids).size).toBe(uuids.length);
    const [esp, root, var_, log, home, fresh, swap] = uuids;
    const table = await inside('findmnt --fstab --noheadings --raw --output SOURCE,TARGET,FSTYPE,OPTIONS');
    expect(table.split('\n')).toEqual([
      `UUID=${root} / ext4 defaults`,
      `UUID=${esp} /efi vfat umask=0077`,
      `UUID=${var_} /var xfs defaults`,
      `UUID=${home} /home ext4 nodev`,
      `UUID=${log} /var/log ext4 defaults`,
      `UUID=${fresh} /data/new\\x20place ext4 defaults`,
      `UUID=${swap} none swap sw`,
    ]);
    expect(await inside('cat /etc/kernel/cmdline')).toBe(`root=UUID=${root} rw`);
  });
});

describe('system', () => {
  test('host name and its address', async () => {
    expect(await inside('cat /etc/hostname; getent hosts web1')).toBe(
      'web1.example.org\n127.0.1.1       web1.example.org web1',
    );
  });

  test('units are valid, and enabled as systemctl enables them', async () => {
    const units =
      'iguana-first-boot.service iguana-report.service systemd-networkd.service systemd-resolved.service';
    expect(await inside(`systemctl is-enabled ${units}`)).toBe('enabled\nenabled\nenabled\nenabled');
    expect(await inside('systemd-analyze verify /etc/systemd/system/iguana-*.service 2>&1')).toBe('');
    // systemctl itself, told to do it again, finds nothing to make.
    const links = 'find /etc/systemd/system -type l -printf "%p %l\\n" | sort';
    const [before, after] = (
      await inside(`${links}; echo ===; systemctl enable ${units} 2>&1; ${links}`)
    ).split('\n===\n');
    expect(after).toBe(before);
  });

  test('files of this machine, with the owners that were asked for', async () => {
    expect(await inside('stat -c "%a %U:%G" /srv/app/config; cat /srv/app/config /etc/motd')).toBe(
      '640 alice:ops\nfor this machine\nhello',
    );
    expect(await inside('od -An -tx1 /var/lib/app/blob')).toBe(' 00 01 02 03');
  });

  test('first-boot scripts are there in order; bash finds no mistake in ours', async () => {
    expect(await inside('ls /etc/iguana/first-boot/scripts')).toBe('001-first\n002-second');
    await inside('bash -n /etc/iguana/first-boot/report; bash -n /etc/iguana/first-boot/run-scripts');
  });
});

describe('content that was moved onto partitions', () => {
  test('is there as it was, and nothing of it is left below the mount points', async () => {
    expect(await machine.look("stat -c '%h' var/log/first; stat -c '%b %s' var/sparse")).toBe('2\n0 8388608');
    expect(await machine.look("stat -c '%a %u:%g' home/old")).toBe('2750 33:33');
    expect(await machine.look("umount -R var home 'data/new place'; ls -A var home 'data/new place'")).toBe(
      'data/new place:\n\nhome:\n\nvar:',
    );
  });

  test('every filesystem is whole', async () => {
    for (const { filesystem, offsetBytes, sizeBytes } of machine.manifest.storage.partitions) {
      const check = { ext4: 'e2fsck -f -n', xfs: 'xfs_repair -n' }[filesystem as string];
      if (!check) continue;
      await agent().shell(`
        PART=$(losetup --find --show --read-only --offset ${offsetBytes} --sizelimit ${sizeBytes} ${machine.path})
        trap 'losetup --detach "$PART"' EXIT
        ${check} "$PART"
      `);
    }
  });
});
