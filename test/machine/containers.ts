/** Containers that the kernel's command line names, as for the original Iguana: refused, failing, and handing over to what they have installed. */
import { mkdtempSync } from 'node:fs';
import { cp, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BootImage, makeBootImage } from '../../host/boot/boot-image.ts';
import { statePaths } from '../../host/state.ts';
import { makeCertificates } from '../image/servers/certificates.ts';
import { startRegistry } from '../image/servers/registry.ts';
import { HOST } from './machine-install.ts';
import { Signing } from './signing.ts';
import { VirtualMachine } from './virtual-machine.ts';

const MACHINE = '0a1b2c3d-0000-4000-8000-000000000004';
const TIMEOUT_MS = 600_000;
const POLL_MS = 500;

/** All that a shell needs. */
const SHELL = ['/bin/sh', '/lib64/ld-linux-x86-64.so.2', '/lib/x86_64-linux-gnu/libc.so.6'];

/** What the containers do. */
const SCRIPTS = {
  prepares: [
    'read -r id </iguana/machine-id',
    'echo "prepared for $iguana, $id" >/iguana/progress',
    'printf "a hostile \\033]0;title\\007 line\\n" >/iguana/progress',
    'echo "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_disk-0 /sysroot rw" >/iguana/mountlist',
  ],
  fails: ['echo "the disk is too small"', 'exit 3'],
  unsigned: ['echo "never said"'],
};

/** Registers the tests; they may run beside others. */
export function containersTests(): void {
  describe('containers that the command line names', { concurrent: false }, () => {
    const root = mkdtempSync(join(tmpdir(), 'iguana-containers-'));
    let boot: BootImage;
    let machine: VirtualMachine;
    let registry: string;

    beforeAll(async () => {
      const [tls, signing] = await Promise.all([makeCertificates(HOST), Signing.create()]);
      const { host } = await startRegistry({ tls });
      registry = host.replace('127.0.0.1', HOST);
      boot = await makeBootImage(statePaths(), {
        variant: 'virtual',
        baked: false,
        folder: join(root, 'boot'),
        agentKey: await readFile(`${signing.keys}.pub`, 'utf8'),
        registryCa: await readFile(tls.ca, 'utf8'),
        onLine: () => undefined,
      });
      for (const [name, lines] of Object.entries(SCRIPTS)) {
        const at = `${host}/test/${name}`;
        const digest = await pushContainer(join(root, name), lines, at);
        if (name !== 'unsigned') await signing.sign(`${at}@${digest}`, `${registry}/test/${name}`);
      }
      machine = await VirtualMachine.create(join(root, 'machine'), MACHINE);
      const system = join(root, 'system');
      await shellIn(system);
      await mkdir(join(system, 'usr/lib/modules', await kernelVersion(boot.kernel)), { recursive: true });
      for (const folder of ['etc', 'sbin', 'proc', 'sys', 'dev', 'run'])
        await mkdir(join(system, folder), { recursive: true });
      await writeFile(join(system, 'etc/os-release'), 'ID=test\n');
      const init =
        '#!/bin/sh\necho "the installed system is $$" >/dev/console\necho o >/proc/sysrq-trigger\nwhile :; do :; done\n';
      await writeFile(join(system, 'sbin/init'), init, { mode: 0o755 });
      await execa('mkfs.ext4', ['-q', '-d', system, machine.disk]);
    }, TIMEOUT_MS);
    afterAll(() => machine?.cutPower());

    /** Starts it with these containers, and waits for words. @returns what it has said */
    async function started(names: readonly string[], said: RegExp): Promise<string> {
      const before = (await machine.console()).length;
      const list = names.map((name) => `${registry}/test/${name}`).join(',');
      await machine.start({
        ...boot,
        commandLine: `console=ttyS0 quiet panic=10 rd.iguana.containers=${list}`,
      });
      for (;;) {
        machine.requireRunnable();
        const console_ = (await machine.console()).slice(before);
        if (said.test(console_)) return console_;
        await sleep(POLL_MS);
      }
    }

    it('are refused where the key of the boot image has not signed them', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const said = await started(
        ['unsigned'],
        /what to do: look at the network and the name; it has to be signed/,
      );
      expect(said).toMatch(/refusing container 1, .*no signature exists/);
      expect(said).not.toContain('never said');
      await machine.cutPower();
    });

    it('end with the first that fails', { timeout: TIMEOUT_MS }, async () => {
      const said = await started(['fails', 'prepares'], /ended with status 3: nothing after it is run/);
      expect(said).toContain('the disk is too small');
      expect(said).toContain('the machine restarts in 60 s');
      expect(said).not.toContain('running container 2');
      await machine.cutPower();
    });

    it('say how far they are, and hand over to the system that they have installed', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const said = await started(['prepares'], /the installed system is \d+/);
      expect(said).toMatch(/prepared for true, [0-9a-f]{32}/);
      expect(said).toContain('a hostile ]0;title line');
      expect(said).toContain('going on with the installed system');
      // It is the first process.
      expect(said).toContain('the installed system is 1');
      await machine.off();
    });
  });
}

/** Puts a shell into a folder. */
async function shellIn(folder: string): Promise<void> {
  for (const path of SHELL) await cp(path, join(folder, path), { dereference: true });
}

/** Makes a container of a few lines of shell, and pushes it. @returns its digest */
async function pushContainer(folder: string, lines: readonly string[], to: string): Promise<string> {
  await shellIn(join(folder, 'root'));
  await writeFile(join(folder, 'root/program'), `#!/bin/sh\nset -e\n${lines.join('\n')}\n`, { mode: 0o755 });
  await execa('tar', ['-C', join(folder, 'root'), '-cf', join(folder, 'root.tar'), '.']);
  await execa('podman', [
    'import',
    '--quiet',
    '--change',
    'ENTRYPOINT ["/program"]',
    join(folder, 'root.tar'),
    to,
  ]);
  const digest = join(folder, 'digest');
  await execa('podman', ['push', '--quiet', '--tls-verify=false', '--digestfile', digest, to]);
  await execa('podman', ['rmi', to]);
  return (await readFile(digest, 'utf8')).trim();
}

/** Of a bzImage: the field `kernel_version` of its header (kernel.org, "The Linux/x86 Boot Protocol"). */
async function kernelVersion(path: string): Promise<string> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0);
  const at = buffer.readUInt16LE(0x20e) + 0x200;
  return buffer.toString('latin1', at, at + 100).split(' ')[0] ?? '';
}
