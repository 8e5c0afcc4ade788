/** What a newcomer does, with nothing scripted: the demo, its history, logging in; and a disk image that is cloned. */

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { powerActivities } from '../../activities/power/index.ts';
import { freePort } from '../../host/free-port.ts';
import { type InstallStatus, PHASES } from '../../workflows/api.ts';
import { CommandLine } from '../client/command.ts';
import { inGuest, makeLoginKey } from '../vm/guest.ts';
import { Site } from './site.ts';

/** For hanging, not for slowness. */
const TIMEOUT_MS = 1_200_000;

/** Registers the tests; one after the other, beside others. */
export function demoTests(): void {
  describe('what a newcomer does', { concurrent: false }, () => {
    let site: Site;
    let iguana: CommandLine;

    beforeAll(async () => {
      site = new Site(mkdtempSync(join(tmpdir(), 'iguana-demo-')));
      await site.start();
      iguana = new CommandLine({ IGUANA_STATE: site.paths.root });
    });
    afterAll(() => site.remove());

    async function qemus(): Promise<string> {
      return (await execa('pgrep', ['--full', `^qemu-system.*${site.paths.root}`], { reject: false })).stdout;
    }

    test('demo: installed, booted, reported; then logged in to, and cleaned up', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const demo = await iguana.run(['demo']);
      expect(demo, demo.stderr).toMatchObject({ status: 0 });
      for (const phase of PHASES) expect(demo.stdout).toMatch(new RegExp(`✔ ${phase}`));
      expect(demo.stderr).toMatch(/power cut! QEMU was killed when .* were on the disk/);
      expect(demo.stdout).toMatch(/written through a power cut, verified and booted in/);
      expect(await qemus()).toBe('');

      const id = /^history +iguana history ([-0-9a-f]{36})$/m.exec(demo.stdout)?.[1] ?? '';
      const { stdout: history } = await iguana.run(['history', id]);
      expect(history).toMatch(/sha256:[0-9a-f]{12}/);
      expect(history).toMatch(/first boot reported\s+iguana-demo[\s\S]*succeeded/);
      const [{ status: ended }] = (await iguana.json(['status', id])).documents as [
        { status: InstallStatus },
      ];
      expect(ended).toMatchObject({ outcome: 'succeeded', firstBoot: { hostname: 'iguana-demo' } });
      expect(ended.boots).toHaveLength(2);
      // What was on the disk when the power went is not written again.
      const [, found] = /writeImage[\s\S]*?reusedBytes (\d+)/.exec(history) ?? [];
      expect(Number(found)).toBeGreaterThan(0.2 * 2 ** 28);

      const { status, documents } = await iguana.json(['demo', '--boot']);
      expect(status).toBe(0);
      const { port, keyFile, user } = documents.at(-1) as { port: number; keyFile: string; user: string };
      const key = { file: keyFile, publicKey: '' };
      expect(
        await inGuest(port, user, key, 'hostname; sudo -n id -un; systemctl is-system-running --wait'),
      ).toBe('iguana-demo\nroot\nrunning');
      const packages = 'dpkg-query --list openssh-server sudo systemd-boot | grep --count ^ii';
      expect(await inGuest(port, user, key, packages)).toBe('3');

      expect(await iguana.run(['demo', '--clean'])).toMatchObject({ status: 0 });
      expect(await qemus()).toBe('');
    });

    test('image build: a qcow2 that boots into a machine of its own', { timeout: TIMEOUT_MS }, async () => {
      const key = await makeLoginKey(site.paths.root);
      const profile = join(site.paths.root, 'clone.yaml');
      const own = {
        apiVersion: 'iguana/v1',
        kind: 'Profile',
        machine: { users: [{ name: 'demo', sshKeys: [key.publicKey] }] },
      };
      writeFileSync(profile, JSON.stringify(own));
      const demo = join(import.meta.dirname, '../../docs/examples/demo.yaml');
      const image = join(site.paths.root, 'clone.qcow2');
      const command = ['image', 'build', demo, profile, '-o', image, '--format', 'qcow2', '--size', '4G'];
      const built = await iguana.run(command);
      expect(built, built.stderr).toMatchObject({ status: 0 });
      expect(await iguana.run(command)).toMatchObject({ status: 2 });
      const { stdout } = await execa('qemu-img', ['info', '--output=json', image]);
      expect(JSON.parse(stdout)).toMatchObject({ format: 'qcow2', 'virtual-size': 4 * 2 ** 30 });

      const disk = `${image}.img`;
      await execa('qemu-img', ['convert', '-O', 'raw', image, disk]);
      const sshPort = await freePort();
      const machine = { machineId: 'clone', path: disk, memoryMiB: 1024, cpus: 2, sshPort };
      const ended = new MockActivityEnvironment().run(powerActivities(site.paths).runVirtualMachine, machine);
      const script =
        'cat /etc/machine-id; ls /etc/ssh/ssh_host_ed25519_key; systemctl is-system-running --wait; sudo poweroff';
      expect(await inGuest(sshPort, 'demo', key, script)).toMatch(
        /^[0-9a-f]{32}\n\/etc\/ssh\/ssh_host_ed25519_key\nrunning/,
      );
      await ended;
    });

    test('image.from: what was built, signed and carried elsewhere is installed, and the history says who signed it', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const { documents } = await iguana.json(['image', 'ls']);
      const [[{ imageDigest, image }]] = documents as [[{ imageDigest: string; image: { digest: string } }]];
      const carried = `oci:${join(site.paths.root, 'carried')}`;
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const key = join(site.paths.root, 'release.key');
      writeFileSync(key, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      for (const args of [
        ['pull', `store:${imageDigest}`, `${carried}:1`],
        ['sign', `${carried}:1`, '--key', key, '--identity', 'demo'],
      ])
        expect(await iguana.run(['image', ...args])).toMatchObject({ status: 0 });

      const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' });
      const from = { reference: carried, digest: image.digest, keys: [publicKey], signedIdentity: 'demo' };
      const profile = join(site.paths.root, 'carried.yaml');
      writeFileSync(profile, JSON.stringify({ apiVersion: 'iguana/v1', kind: 'Profile', image: { from } }));
      const disk = join(site.paths.root, 'carried.img');
      const install = ['install', profile, '--disk', disk, '--size', '4G', '--machine', 'carried'];
      const installed = await iguana.run(install);
      expect(installed, installed.stderr).toMatchObject({ status: 0 });
      const { stdout: history } = await iguana.run(['history', 'carried']);
      expect(history).toMatch(/from oci:.*carried\n +signed by sha256:[0-9a-f]{64} as demo/);
    });
  });
}
