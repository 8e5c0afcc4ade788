/** However often the steps are interrupted and repeated, the disk ends as after one undisturbed run. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useAgent } from '../../disk/harness/case.ts';
import { FULL_MACHINE, MANY_PARTITIONS, SSH_KEY } from '../harness/layouts.ts';
import { MachineCase } from '../harness/machine-case.ts';
import { storeSystem } from '../harness/system-image.ts';

const agent = useAgent();
const MACHINE = { ...FULL_MACHINE, users: FULL_MACHINE.users.filter(({ name }) => name !== 'bob') };
const REPORT = { reportUrl: 'http://192.0.2.1/first-boot' };
/** More than the steps have heartbeats, many times over: the loop ends when a run is not reached any more. */
const MAX_KILLS = 300;
/** Most heartbeats are paths that are written one after the other in the same way: each third is killed at. */
const STRIDE = 3;

/** For hanging, not for slowness: a hundred agents are started and killed. */
const KILLS_TIMEOUT_MS = 1_800_000;

let machine: MachineCase;
let written: () => Promise<void>;

beforeAll(async () => {
  const image = await storeSystem(agent(), {
    filesystem: 'ext4',
    sizeMiB: 300,
    change: 'rm -rf var/cache; echo x > var/log/first; ln var/log/first var/log/second',
  });
  machine = MachineCase.create(agent(), { ...MANY_PARTITIONS, machine: MACHINE, image });
  await machine.write();
  await machine.keep();
  written = () => machine.restore();
});
afterAll(() => machine.release());

test('twice is as once: same answer, same keys and token, same files', async () => {
  await written();
  const first = await machine.personalise(REPORT);
  await machine.bootloader();
  const before = await machine.snapshot();
  const unique = 'cat etc/ssh/ssh_host_*_key.pub etc/iguana/first-boot/token etc/iguana/*.json';
  const keys = await machine.look(unique);
  expect(await machine.personalise(REPORT)).toEqual(first);
  await machine.bootloader();
  expect(await machine.look(unique)).toBe(keys);
  expect(await machine.snapshot()).toBe(before);
  await machine.verify(first);
});

test('killed again and again, personalise ends as if undisturbed', {
  timeout: KILLS_TIMEOUT_MS,
}, async () => {
  await written();
  const undisturbedResult = await machine.personalise(REPORT);
  await machine.bootloader();
  const undisturbed = await machine.snapshot();

  await written();
  let kills = 0;
  for (let heartbeat = 1; kills < MAX_KILLS; heartbeat += STRIDE) {
    if (!(await agent().runKilledAt('personalise', machine.personaliseInput(REPORT), heartbeat))) break;
    kills += 1;
  }
  expect(kills).toBeGreaterThan(20);
  const result = await machine.personalise(REPORT);
  for (let heartbeat = 1; kills < MAX_KILLS; heartbeat += 1) {
    if (!(await agent().runKilledAt('installBootloader', machine.step, heartbeat))) break;
    kills += 1;
  }
  await machine.bootloader();
  await machine.verify(result);
  expect(result.changedCount).toBe(undisturbedResult.changedCount);
  expect(await machine.snapshot()).toBe(undisturbed);
});

test('an amendment leaves nothing of what is no longer wanted', async () => {
  await written();
  const amended = machine.amended({ hostname: 'other', users: [{ name: 'carol', sshKeys: [SSH_KEY] }] });
  await amended.personalise();
  await amended.bootloader();
  const wanted = await amended.snapshot();

  await written();
  await machine.personalise(REPORT);
  await machine.bootloader();
  // Killed in the middle of taking things away.
  await agent().runKilledAt('personalise', amended.personaliseInput(), 20);
  const result = await amended.personalise();
  await amended.bootloader();
  await amended.verify(result);
  expect(result.tokenDigest).toBeUndefined();
  expect(await amended.snapshot()).toBe(wanted);
  expect(await amended.look('ls home; ls -d srv/app var/lib/app 2>&1 || true')).not.toMatch(/alice|^srv/m);
});

test('a root that was written again starts anew, also on the other partitions', async () => {
  await written();
  await machine.personalise(REPORT);
  await machine.look('echo stale > home/alice/stale; echo stale > var/stale');
  await agent().run('writeImage', machine.step);
  await agent().run('growFilesystem', machine.step);
  const result = await machine.personalise(REPORT);
  await machine.bootloader();
  await machine.verify(result);
});

test('cancelling stops between two writes, leaves nothing mounted, and can be gone on from', async () => {
  await written();
  const running = agent().start('personalise', machine.personaliseInput(REPORT));
  const ended = expect(running.result).rejects.toThrow();
  await running.heartbeat(({ step }) => step === 'apply');
  running.cancel();
  await ended;
  expect(await agent().shell('grep -F /run/iguana/mnt /proc/self/mountinfo || true')).toBe('');
  const result = await machine.personalise(REPORT);
  await machine.bootloader();
  await machine.verify(result);
});

test('generic: nothing that must not be cloned is on the disk, and the first boot makes it', async () => {
  await written();
  const result = await machine.personalise({ identity: 'generic' });
  await machine.bootloader();
  await machine.verify(result);
  expect(await machine.look('cat etc/machine-id; ls etc/ssh | grep host_ || true')).toBe('');
  expect(await machine.look('chroot . systemctl is-enabled iguana-host-keys.service')).toBe('enabled');
  expect(await machine.look('ls etc/iguana')).not.toContain('first-boot/token');
});
