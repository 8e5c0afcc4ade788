/** Containers that the kernel's command line names, as for the original Iguana: refused, failing, and handing over to what they have installed. */
import { mkdtempSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BootImage, makeBootImage } from '../../host/boot/boot-image.ts';
import { statePaths } from '../../host/state.ts';
import { makeCertificates } from '../image/servers/certificates.ts';
import { startRegistry } from '../image/servers/registry.ts';
import { askShell, ROOT_ANSWERS, WHO } from './debug-shell.ts';
import { HOST } from './machine-install.ts';
import { BOND, expectNetwork, NETWORK_WORDS } from './network-words.ts';
import { GIVEN_UP, installSystem, pushContainer, saidUntil, startedWith } from './shell-containers.ts';
import { Signing } from './signing.ts';
import { VirtualMachine } from './virtual-machine.ts';

const MACHINE = '0a1b2c3d-0000-4000-8000-000000000004';
const TIMEOUT_MS = 600_000;

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
      await installSystem(join(root, 'system'), boot.kernel, machine.disk);
    }, TIMEOUT_MS);
    afterEach(() => machine.cutPower());

    /** Starts it with these containers, and waits for words. @returns what it has said */
    async function started(names: readonly string[], said: RegExp, words = ''): Promise<string> {
      const list = names.map((name) => `${registry}/test/${name}`).join(',');
      return await startedWith(machine, boot, `rd.iguana.containers=${list} ${words}`, said);
    }

    it('are refused where the key of the boot image has not signed them; bond, VLAN and shell are there as the words say', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const remedy = 'what to do: look at the network and the name; it has to be signed';
      const said = await started(['unsigned'], new RegExp(remedy), `iguana.debug ${NETWORK_WORDS}`);
      expect(said).toMatch(/refusing container 1, .*no signature exists/);
      const asked = await askShell(machine, WHO, new RegExp(ROOT_ANSWERS));
      expect(asked).not.toContain('never said');
      expect(asked).not.toMatch(GIVEN_UP);
      await expectNetwork(machine);
    });

    it('end with the first that fails', { timeout: TIMEOUT_MS }, async () => {
      const said = await started(['fails', 'prepares'], GIVEN_UP, BOND);
      expect(said).toMatch(/network bond0 10\.0\.2\.15/);
      expect(said).toContain('the disk is too small');
      expect(said).toContain('ended with status 3: nothing after it is run');
      expect(said).not.toContain('running container 2');
    });

    it('say how far they are, and hand over to the system that they have installed', {
      timeout: TIMEOUT_MS,
    }, async () => {
      await started(['prepares'], /running container 1/);
      // Nobody is there who would answer.
      await machine.type(WHO);
      const said = await saidUntil(machine, /the installed system is \d+/);
      expect(said).not.toContain(ROOT_ANSWERS);
      expect(said).not.toContain('login:');
      expect(said).toMatch(/prepared for true, [0-9a-f]{32}/);
      expect(said).toContain('a hostile ]0;title line');
      expect(said).toContain('going on with the installed system');
      // It is the first process.
      expect(said).toContain('the installed system is 1');
      await machine.off();
    });
  });
}
