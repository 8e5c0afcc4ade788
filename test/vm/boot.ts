/** A machine that the real steps have made boots, reports, and is what its manifest says; its worker is killed on the way. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PersonaliseResult, Progress, VirtualMachineInput } from '../../activities/contract.ts';
import { powerActivities } from '../../activities/power/index.ts';
import { freePort } from '../../host/free-port.ts';
import { statePaths } from '../../host/state.ts';
import { useAgent } from '../disk/harness/case.ts';
import { MachineCase } from '../personalise/harness/machine-case.ts';
import { storeSystem } from '../personalise/harness/system-image.ts';
import { inGuest, type LoginKey, makeLoginKey } from './guest.ts';
import { ReportServer } from './report-server.ts';

/** For hanging, not for slowness. */
const TIMEOUT_MS = 900_000;

/** Registers the tests; one after the other, beside others. */
export function bootTests(): void {
  describe('a machine that the steps have made', { concurrent: false }, () => {
    const agent = useAgent();
    let machine: MachineCase;
    let personalised: PersonaliseResult;
    let server: ReportServer;
    let key: LoginKey;
    let input: VirtualMachineInput;
    let state: string;
    let environment: MockActivityEnvironment;

    beforeEach(() => {
      environment = new MockActivityEnvironment();
    });
    /** A test that failed must not leave its machine to the next one. */
    afterEach(async () => {
      environment.cancel('CANCELLED');
      while ((await qemus()).length > 0) await sleep(500);
    }, TIMEOUT_MS);

    beforeAll(async () => {
      state = join(agent().folder, 'state');
      server = await ReportServer.start(2);
      key = await makeLoginKey(agent().folder);
      const image = await storeSystem(agent(), { filesystem: 'ext4', sizeMiB: 640, whole: true });
      machine = MachineCase.create(agent(), {
        sizeMiB: 1400,
        image,
        partitions: [
          { label: 'ESP', type: 'esp', filesystem: 'vfat', sizeMiB: 128, mountPoint: '/efi' },
          { label: 'root', type: 'root', filesystem: 'ext4', sizeMiB: 800, mountPoint: '/' },
          { label: 'var', type: 'var', filesystem: 'xfs', sizeMiB: 320, mountPoint: '/var' },
          {
            label: 'home',
            type: 'home',
            filesystem: 'ext4',
            sizeMiB: 32,
            mountPoint: '/home',
            mountOptions: ['nodev'],
          },
          { label: 'swap', type: 'swap', filesystem: 'swap', sizeMiB: 16 },
        ],
        machine: {
          hostname: 'booted.example.org',
          network: [
            { name: 'uplink', match: { name: 'en*' }, dhcp: 'yes' },
            { name: 'vlan7', vlan: { link: 'uplink', id: 7 }, addresses: ['192.0.2.7/24'] },
          ],
          users: [{ name: 'alice', sshKeys: [key.publicKey], groups: ['adm'], sudo: 'nopasswd' }],
          files: [
            { path: '/home/alice/notes', content: 'mine\n', mode: '0600', owner: 'alice', group: 'alice' },
          ],
          firstBoot: [
            { name: 'works', content: '#!/bin/sh\necho said by works\necho done > /var/works\n' },
            { name: 'breaks', content: '#!/bin/sh\nexit 7\n' },
            { name: 'later', content: '#!/bin/sh\ntest -e /var/works && echo again >> /var/later\n' },
          ],
        },
      });
      machine.manifest.image.kernel.cmdline = ['console=ttyS0'];
      await machine.write();
      personalised = await machine.personalise({ reportUrl: server.guestUrl });
      await machine.bootloader();
      await machine.verify(personalised);
      await machine.release();
      input = {
        machineId: 'machine-1',
        path: machine.path,
        memoryMiB: 1024,
        cpus: 2,
        sshPort: await freePort(),
      };
    }, TIMEOUT_MS);

    afterAll(async () => {
      await server.stop();
      await machine.release();
    });

    /** The pids of all QEMUs on the test's disk. */
    async function qemus(): Promise<string[]> {
      const { stdout } = await execa('pgrep', ['--full', `^qemu-system.*${machine.path}`], { reject: false });
      return stdout.split('\n').filter((line) => line !== '');
    }

    /** A worker in its own process; resolves when its machine runs. */
    async function startWorker(): Promise<ChildProcess> {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'run-machine-child.ts'), state, JSON.stringify(input)],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      for await (const line of createInterface({ input: child.stdout })) {
        if ((JSON.parse(line) as Progress).step === 'machine is running') return child;
      }
      throw new Error('the worker ended before its machine ran');
    }

    /** Ends of an attempt that nobody asked for. */
    const GIVEN_UP = [
      ['WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true })],
      ['NOT_FOUND', new ActivityCancellationDetails({ notFound: true })],
    ] as const;

    /** Takes the running machine over, and is told to end while it watches. */
    async function takeOverAndLeave(
      reason: (typeof GIVEN_UP)[number][0],
      details: ActivityCancellationDetails,
    ): Promise<void> {
      const attempt = new MockActivityEnvironment();
      attempt.on('heartbeat', ({ step }: Progress) => {
        if (step === 'machine is running') attempt.cancel(reason, details);
      });
      const { runVirtualMachine } = powerActivities(statePaths({ IGUANA_STATE: state }));
      await expect(attempt.run(runVirtualMachine, input)).rejects.toThrow(reason);
    }

    test('boots, survives its worker, reports once, and shuts down when it is cancelled', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const worker = await startWorker();
      const [pid, ...others] = await qemus();
      expect(others).toEqual([]);
      worker.kill('SIGKILL');
      await once(worker, 'exit');
      expect(await qemus()).toEqual([pid]);

      const { runVirtualMachine } = powerActivities(statePaths({ IGUANA_STATE: state }));
      for (const [reason, details] of GIVEN_UP) await takeOverAndLeave(reason, details);
      expect(await qemus()).toEqual([pid]);

      const ended = environment.run(runVirtualMachine, input).then(
        () => 'the machine powered off',
        (error: Error) => error.name,
      );
      const report = await Promise.race([server.accepted, ended]);
      expect(report).toMatchObject({
        method: 'POST',
        url: '/first-boot?from=test',
        body: { machineId: 'machine-1', hostname: 'booted.example.org', failedScripts: ['breaks'] },
      });
      expect(await qemus()).toEqual([pid]);
      const [authorization = ''] = server.reports.map((each) => each.authorization);
      const token = authorization.replace('Bearer ', '');
      expect(`sha256:${createHash('sha256').update(token).digest('hex')}`).toBe(personalised.tokenDigest);

      const guest = (script: string): Promise<string> => inGuest(input.sshPort, 'alice', key, script);
      expect(await guest('id -un; id -Gn; sudo -n id -un; hostname; cat ~/notes')).toBe(
        'alice\nalice adm\nroot\nbooted.example.org\nmine',
      );
      expect(await guest('uname -r; cat /proc/sys/kernel/random/boot_id; cat /etc/machine-id')).toMatch(
        /^\S+\n[0-9a-f-]{36}\n[0-9a-f]{32}$/,
      );
      const mounts =
        'for M in / /efi /var /home; do findmnt -n -o TARGET,FSTYPE --raw $M; done; tail -n +2 /proc/swaps | wc -l';
      expect(await guest(mounts)).toBe('/ ext4\n/efi vfat\n/var xfs\n/home ext4\n1');
      expect(await guest('ip -br -4 address show vlan7; ip -d link show vlan7')).toMatch(
        /192\.0\.2\.7\/24[\s\S]*vlan protocol 802\.1Q id 7/,
      );
      expect(await guest('sudo journalctl -b -u iguana-first-boot -o cat')).toMatch(
        /said by works[\s\S]*breaks: ended with status 7/,
      );
      expect(await guest('cat /var/later; systemctl is-failed iguana-first-boot.service')).toBe(
        'again\nfailed',
      );
      // Once answered, the token is gone and the unit never runs again.
      expect(
        await guest(
          'until ! systemctl is-enabled -q iguana-report; do sleep 1; done; sudo ls /etc/iguana/first-boot',
        ),
      ).toBe('report\nrun-scripts\nscripts');
      expect(server.reports.length).toBe(3);
      const console_ = await readFile(join(state, 'consoles/machine-1.log'), 'utf8');
      expect(console_).toContain('Multi-User System');
      expect(console_).not.toContain(token);

      environment.cancel('CANCELLED');
      expect(await ended).not.toBe('the machine powered off');
      expect(await qemus()).toEqual([]);
      // A system that was shut down, and not switched off, has unmounted its filesystems.
      const state_ = await machine.look(
        'true; tune2fs -l "$(findmnt -n -o SOURCE "$ROOT")" | grep "Filesystem state"',
      );
      expect(state_).toMatch(/clean/);
    });

    test('one that was cloned makes its own keys and id', { timeout: TIMEOUT_MS }, async () => {
      await machine.write();
      await machine.personalise({ identity: 'generic' });
      await machine.bootloader();
      await machine.release();
      const generic = { ...input, machineId: 'generic-1', sshPort: await freePort() };
      const { runVirtualMachine } = powerActivities(statePaths({ IGUANA_STATE: state }));
      const ended = environment.run(runVirtualMachine, generic);
      const found = await inGuest(
        generic.sshPort,
        'alice',
        key,
        'cat /etc/machine-id; ls /etc/ssh/ssh_host_*_key; sudo systemctl poweroff',
      );
      expect(found).toMatch(/^[0-9a-f]{32}\n(\/etc\/ssh\/ssh_host_\w+_key\n?){3}$/);
      // Switched off by its own user: the activity ends by itself.
      await ended;
      expect(await qemus()).toEqual([]);
    });
  });
}
