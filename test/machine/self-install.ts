/** An empty machine that is told an address, a digest and a token, and nothing else. */
import { mkdtempSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WriteResult } from '../../activities/contract.ts';
import { readLayers } from '../../client/install/layers.ts';
import { type BootImage, makeBootImage } from '../../host/boot/boot-image.ts';
import { freePort } from '../../host/free-port.ts';
import { statePaths } from '../../host/state.ts';
import { type InstallStatus, installWorkflowId } from '../../workflows/api.ts';
import { CommandLine } from '../client/command.ts';
import { answersOf, completedActivities } from '../install/history.ts';
import { Site } from '../install/site.ts';
import { VirtualMachine } from './virtual-machine.ts';

const MACHINE = '0a1b2c3d-0000-4000-8000-000000000001';
/** The host, as guests of QEMU's user network see it. */
const HOST = '10.0.2.2';
const MIB = 2 ** 20;
const TIMEOUT_MS = 1_800_000;
const DEMO = fileURLToPath(new URL('../../docs/examples/demo.yaml', import.meta.url));
const OWN = JSON.stringify({
  apiVersion: 'iguana/v1',
  kind: 'Profile',
  storage: { disk: { match: { serial: 'disk-0' } } },
  handoff: { action: 'reboot' },
  confirmation: { wait: 'first-boot' },
});

/** Registers the tests; they may run beside others. */
export function selfInstallTests(): void {
  describe('a machine that knows nothing', { concurrent: false }, () => {
    let site: Site;
    let boot: BootImage;
    let machine: VirtualMachine;
    let token: { readonly token: string; readonly caDigest: string };
    let port: number;

    beforeAll(async () => {
      const root = mkdtempSync(join(tmpdir(), 'iguana-machine-'));
      port = await freePort();
      site = new Site(root, { IGUANA_GATEWAY_NAMES: HOST, IGUANA_GATEWAY_PORT: String(port) });
      await site.start();
      const said = await new CommandLine({ IGUANA_STATE: root }).json(['machine', 'token', 'create']);
      [token] = said.documents as [typeof token];
      boot = await makeBootImage(statePaths(), {
        variant: 'virtual',
        baked: true,
        folder: join(root, 'boot'),
        onLine: () => undefined,
      });
      machine = await VirtualMachine.create(root, MACHINE);
    }, TIMEOUT_MS);
    afterAll(async () => {
      await machine?.cutPower();
      await site?.remove();
    });

    const fromNetwork = () => ({
      ...boot,
      commandLine: `console=ttyS0 quiet panic=10 iguana.server=https://${HOST}:${port} iguana.ca=${token.caDigest} iguana.token=${token.token}`,
    });

    /** Waits for a state of the install. */
    async function until(
      what: string,
      is: (status: InstallStatus) => boolean | Promise<boolean>,
    ): Promise<InstallStatus> {
      await using iguana = site.connect();
      for (;;) {
        machine.requireRunnable();
        const status = await iguana.status(MACHINE);
        if (status.attention)
          throw new Error(
            `waiting for ${what}: ${JSON.stringify(status.attention)}\n${await machine.console()}`,
          );
        if (await is(status)) return status;
        await sleep(500);
      }
    }

    it('starts from an image that is as small as it has to be', () => {
      const bytes = (name: string) => boot.parts.find((part) => part.name === name)?.bytes ?? 0;
      expect(boot.kernelBytes + bytes('system')).toBeLessThanOrEqual(60e6);
      expect(bytes('agent')).toBeGreaterThan(10e6);
    });

    it('installs itself, and goes on where it was when its power is cut while it writes', {
      timeout: TIMEOUT_MS,
    }, async () => {
      await using iguana = site.connect();
      const layers = await readLayers([DEMO]);
      await machine.start(fromNetwork());
      const reportUrl = `http://${HOST}:${new URL(await site.reportAddress()).port}/v1/first-boot`;
      await iguana.startInstall({
        machineId: MACHINE,
        target: { kind: 'machine' },
        layers: [...layers, { name: 'own', digest: layers[0]?.digest ?? 'sha256:', text: OWN }],
        approval: 'ask',
        reportUrl,
      });

      await until(
        'the write',
        async ({ phase }) => phase === 'write' && (await machine.writtenBytes()) > 64 * MIB,
      );
      await machine.cutPower();
      // The names of its disks change, too.
      await machine.start(fromNetwork(), true);
      await until('the handoff', ({ phases }) =>
        phases.some(({ phase, state }) => phase === 'handoff' && state === 'done'),
      );
      await machine.off();
      await machine.start();
      const status = await until('the first boot', ({ outcome }) => outcome !== undefined);

      expect(status).toMatchObject({
        outcome: 'succeeded',
        diskId: expect.stringContaining('disk-0'),
        firstBoot: { machineId: MACHINE, hostname: 'iguana-demo' },
      });
      const handle = (await iguana.client()).workflow.getHandle(installWorkflowId(MACHINE));
      const history = await handle.fetchHistory();
      for (const [name, count] of completedActivities(history)) expect(`${name} ${count}`).toBe(`${name} 1`);
      expect(await machine.writtenBytes(machine.other)).toBe(0);
      const [written] = answersOf(history, 'writeImage') as WriteResult[];
      expect(written?.reusedBytes).toBeGreaterThan(32 * MIB);
      // The console tells who it is and what it does; the token is nobody's business.
      const said = await machine.console();
      expect(said).toContain(`machine ${MACHINE}`);
      expect(said).toMatch(/network \w+ 10\.0\.2\.15/);
      expect(said).not.toContain(token.token);
      expect(await readFile(join(site.paths.logs, 'gateway.log'), 'utf8')).not.toContain(token.token);
      expect(JSON.stringify(history)).not.toContain(token.token);
    });
  });
}
