/** Workflow files of the original Iguana: of the boot image itself and from a web server, failing, unsigned, and handing over. */
import { mkdtempSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type BootImage, makeBootImage } from '../../host/boot/boot-image.ts';
import { statePaths } from '../../host/state.ts';
import { makeCertificates } from '../image/servers/certificates.ts';
import { startNginx } from '../image/servers/nginx.ts';
import { startRegistry } from '../image/servers/registry.ts';
import { HOST } from './machine-install.ts';
import { GIVEN_UP, installSystem, pushContainer, startedWith } from './shell-containers.ts';
import { Signing } from './signing.ts';
import { VirtualMachine } from './virtual-machine.ts';

const MACHINE = '0a1b2c3d-0000-4000-8000-000000000005';
const TIMEOUT_MS = 600_000;

/** Runs until it is stopped. */
const SERVES = 'trap "echo stopped: $WHO; exit 0" TERM; echo "$WHO" >/data/ready; sleep 1000 & wait';
const DATA = { volumes: ['data:/data'] };

/** What the boot image itself has: a job that fails. */
const failing = (image: string) => ({
  name: 'fails',
  jobs: {
    breaks: {
      container: { image, env: { DO: 'echo "the disk is too small"; exit 3' } },
      services: { helper: { image, env: { WHO: 'the helper', DO: SERVES }, ...DATA } },
    },
    dependent: { needs: ['breaks'], container: { image, env: { DO: 'echo never said' } } },
    last: { needs: 'dependent', container: { image, env: { DO: 'echo never said' } } },
    unsigned: { continue_on_error: true, container: { image: image.replace(/\w+$/, 'unsigned') } },
    hosted: {
      continue_on_error: true,
      container: { image, volumes: ['/etc/NetworkManager:/etc/NetworkManager'] },
    },
    independent: { container: { image, env: { DO: 'echo "independent: $iguana"' } } },
  },
});

/** What the web server has: an installer. */
const installing = (image: string) => ({
  name: 'installs',
  env: { GLOBAL: 'of all', OWN: 'of all' },
  jobs: {
    tolerated: { continue_on_error: true, container: { image, env: { DO: 'exit 4' } } },
    skipped: { needs: 'tolerated', container: { image, env: { DO: 'echo never said' } } },
    writes: {
      container: {
        image,
        env: {
          OWN: 'its own',
          DO: 'until [ -s /data/ready ]; do sleep 1; done; read -r who </data/ready; echo "found $who, $GLOBAL, $OWN" >/iguana/progress',
        },
        ...DATA,
      },
      services: { store: { image, env: { WHO: 'the store', DO: SERVES }, ...DATA } },
    },
    finishes: {
      needs: ['writes'],
      container: {
        image,
        env: {
          DO: '[ ! -e /data/ready ]; echo "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_disk-0 /sysroot rw" >/iguana/mountlist',
        },
        ...DATA,
      },
      steps: [{ run: 'echo never said' }],
    },
  },
});

/** Registers the tests; they may run beside others. */
export function workflowFileTests(): void {
  describe('a workflow file of the original Iguana', { concurrent: false }, () => {
    const root = mkdtempSync(join(tmpdir(), 'iguana-workflow-'));
    const file = join(root, 'web/control.yaml');
    let boot: BootImage;
    let machine: VirtualMachine;
    let signing: Signing;
    let address: string;

    beforeAll(async () => {
      const tls = await makeCertificates(HOST);
      signing = await Signing.create();
      const { host } = await startRegistry({ tls });
      const image = `${host.replace('127.0.0.1', HOST)}/test/does`;
      for (const name of ['does', 'unsigned']) {
        const at = `${host}/test/${name}`;
        const digest = await pushContainer(join(root, name), ['eval "$DO"'], at);
        if (name === 'does') await signing.sign(`${at}@${digest}`, image);
      }
      await mkdir(join(root, 'web'));
      await writeFile(file, stringify(installing(image)));
      const { url } = await startNginx(join(root, 'web'), { tls });
      address = `${url.replace('127.0.0.1', HOST)}/control.yaml`;
      boot = await makeBootImage(statePaths(), {
        variant: 'virtual',
        baked: true,
        folder: join(root, 'boot'),
        agentKey: await readFile(`${signing.keys}.pub`, 'utf8'),
        registryCa: await readFile(tls.ca, 'utf8'),
        control: stringify(failing(image)),
        onLine: () => undefined,
      });
      machine = await VirtualMachine.create(join(root, 'machine'), MACHINE);
      await installSystem(join(root, 'system'), boot.kernel, machine.disk);
    }, TIMEOUT_MS);
    afterEach(() => machine.cutPower());

    it('of the boot image is run, and has failed when a job has', { timeout: TIMEOUT_MS }, async () => {
      const said = await startedWith(machine, boot, '', GIVEN_UP);
      expect(said).toContain('the disk is too small');
      expect(said).toContain('job breaks ended with status 3');
      expect(said).toContain('stopped: the helper');
      expect(said).toMatch(/not running job dependent, since it needs .*: breaks\s/);
      expect(said).toMatch(/not running job last, since it needs .*: dependent\s/);
      expect(said).toMatch(/refusing job unsigned, .*no signature exists/);
      expect(said).toContain('this machine has no /etc/NetworkManager');
      expect(said).toContain('independent: true');
      expect(said).toContain('failed jobs: breaks; jobs that were not run: dependent last;');
      expect(said).not.toContain('never said');
      expect(said).not.toContain('going on with');
    });

    it('is refused where the key of the boot image has not signed it', { timeout: TIMEOUT_MS }, async () => {
      const words = `rd.iguana.control_url=${address}`;
      const said = await startedWith(machine, boot, words, GIVEN_UP);
      expect(said).toMatch(/refusing the workflow file .*: it is not signed: there is no .*\.sig/);
      expect(said).toContain('what to do: sign it with the key of this boot image');
      expect(said).not.toContain('running job');
    });

    it('installs when it is signed, and hands over', { timeout: TIMEOUT_MS }, async () => {
      await signing.signFile(file);
      const words = `rd.iguana.control_url=${address}`;
      const said = await startedWith(machine, boot, words, /the installed system is \d+|restarts in 60 s/);
      expect(said).toContain('job tolerated ended with status 4');
      expect(said).toContain('job tolerated has failed; the workflow goes on');
      expect(said).toMatch(/not running job skipped, since it needs .*: tolerated\s/);
      expect(said).toContain('found the store, of all, its own');
      expect(said).toContain('stopped: the store');
      expect(said).toContain('not followed: the steps of job finishes');
      expect(said).toContain('job finishes has ended well');
      expect(said).not.toContain('never said');
      expect(said).not.toMatch(/left over|unmounting/);
      expect(said).toContain('the installed system is 1');
      await machine.off();
    });
  });
}
