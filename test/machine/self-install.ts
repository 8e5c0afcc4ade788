/**
 * Empty machines that are told an address, a digest and a token, and nothing else. Two at once; on each, everything goes wrong that
 * can go wrong from outside: power, disks in another order, network, the servers.
 */
import { mkdtempSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WriteResult } from '../../activities/contract.ts';
import { type BootImage, makeBootImage } from '../../host/boot/boot-image.ts';
import { freePort } from '../../host/free-port.ts';
import { statePaths } from '../../host/state.ts';
import type { InstallStatus } from '../../workflows/api.ts';
import { CommandLine } from '../client/command.ts';
import { answersOf, completedActivities } from '../install/history.ts';
import { Site } from '../install/site.ts';
import { HOST, MachineInstall } from './machine-install.ts';
import { type NetworkBoot, VirtualMachine } from './virtual-machine.ts';

const IDS = ['0a1b2c3d-0000-4000-8000-000000000001', '0a1b2c3d-0000-4000-8000-000000000002'] as const;
const WORDS = 'console=ttyS0 quiet panic=10';
const MIB = 2 ** 20;
/** As long as a cut of the network lasts: more than every timeout between machine and server. */
const NETWORK_CUT_MS = 120_000;
/** After a step has been announced it is in the middle of its work; each takes some seconds on an emulated processor. */
const INSIDE_MS = 1_000;
/** For what was fetched before the network was cut. */
const SETTLES_MS = 10_000;
const TIMEOUT_MS = 1_800_000;

interface Token {
  readonly token: string;
  readonly caDigest: string;
}

/** A start may be told twice. */
const distinctBoots = (boots: InstallStatus['boots'] = []): number =>
  new Set(boots.map(({ bootId }) => bootId)).size;

/** Registers the tests; they may run beside others. */
export function selfInstallTests(): void {
  describe('machines that know nothing', { concurrent: false }, () => {
    let site: Site;
    let boot: BootImage;
    let iguana: CommandLine;
    let port: number;
    let bootPort: number;
    let tokenFile: string;
    const machines: VirtualMachine[] = [];

    beforeAll(async () => {
      const root = mkdtempSync(join(tmpdir(), 'iguana-machine-'));
      port = await freePort();
      bootPort = await freePort();
      tokenFile = join(root, 'token');
      site = new Site(root, {
        IGUANA_GATEWAY_NAMES: HOST,
        IGUANA_GATEWAY_PORT: String(port),
        IGUANA_BOOT_FOLDER: join(root, 'boot'),
        IGUANA_BOOT_PORT: String(bootPort),
        IGUANA_BOOT_TOKEN_FILE: tokenFile,
        IGUANA_BOOT_CMDLINE: WORDS,
      });
      await site.start();
      iguana = new CommandLine({ IGUANA_STATE: root });
      boot = await makeBootImage(statePaths(), {
        variant: 'virtual',
        baked: true,
        folder: join(root, 'boot'),
        onLine: () => undefined,
      });
      for (const id of IDS) machines.push(await VirtualMachine.create(join(root, 'machines', id), id));
    }, TIMEOUT_MS);
    afterAll(async () => {
      for (const machine of machines) await machine.cutPower();
      await site?.remove();
    });

    async function makeToken(): Promise<Token> {
      const { documents } = await iguana.json(['machine', 'token', 'create']);
      return documents[0] as Token;
    }
    /** What a machine is told. */
    const direct = ({ token, caDigest }: Token) => ({
      ...boot,
      commandLine: `${WORDS} iguana.server=https://${HOST}:${port} iguana.ca=${caDigest} iguana.token=${token}`,
    });
    /** Its firmware asks the network first. */
    const networkFirst = () => ({ script: `http://${HOST}:${bootPort}/boot/ipxe` });
    /** What holds for every machine that has been installed, whatever happened to it meanwhile. */
    async function expectInstalled(install: MachineInstall, token: Token, boots: number): Promise<void> {
      const { id, machine } = install;
      const status = await install.end();
      expect(status).toMatchObject({
        outcome: 'succeeded',
        diskId: expect.stringContaining('disk-0'),
        firstBoot: { machineId: id, hostname: 'iguana-demo' },
      });
      expect(distinctBoots(status.boots)).toBe(boots);
      const { stdout } = await iguana.run(['history', id]);
      expect(stdout.match(/the machine has started from its boot image/g)).toHaveLength(boots);
      expect(await machine.writtenBytes(machine.other)).toBe(0);
      const history = await install.history();
      for (const [name, count] of completedActivities(history)) expect(`${name} ${count}`).toBe(`${name} 1`);
      // The console tells who it is and what it does; the token is nobody's business.
      const said = await machine.console();
      expect(said).toContain(`machine ${id}`);
      expect(said).toMatch(/network \w+ 10\.0\.2\.15/);
      expect(said).toMatch(/writing the image: .*\d+ % of \d+ MB, [\d.]+ MB\/s, \d+ s left/);
      expect(said).toMatch(/leaving the installer/);
      for (const text of [
        said,
        await readFile(join(site.paths.logs, 'gateway.log'), 'utf8'),
        JSON.stringify(history),
      ])
        expect(text).not.toContain(token.token);
    }

    it('starts from an image that is as small as it has to be', () => {
      const bytes = (name: string) => boot.parts.find((part) => part.name === name)?.bytes ?? 0;
      expect(boot.kernelBytes + bytes('system') + bytes('modules')).toBeLessThanOrEqual(60e6);
      expect(bytes('agent')).toBeGreaterThan(10e6);
      expect(bytes('agent')).toBeLessThanOrEqual(60e6);
    });

    it('install themselves, two at once, through power cuts in every phase, a cut network and servers that are killed', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const [first, second] = machines as [VirtualMachine, VirtualMachine];
      const tokens = [await makeToken(), await makeToken()] as const;
      await writeFile(tokenFile, tokens[0].token);
      const cutPower =
        (machine: VirtualMachine, next: NetworkBoot, swapped = false) =>
        async () => {
          await machine.cutPower();
          await machine.start(next, swapped);
        };

      const inside = (happens: () => Promise<void>) => async () => {
        await sleep(INSIDE_MS);
        await happens();
      };

      const one = new MachineInstall(site, IDS[0], first);
      const other = new MachineInstall(site, IDS[1], second);
      await first.start(direct(tokens[0]));
      await one.start();
      const early = one.through([
        { phase: 'build', happens: cutPower(first, direct(tokens[0])) },
        { said: /partitioning the disk/, happens: inside(cutPower(first, direct(tokens[0]), true)) },
        {
          phase: 'write',
          when: async () => (await first.writtenBytes()) > 64 * MIB,
          happens: cutPower(first, networkFirst()),
        },
        {
          // Attempts may have failed before: the servers are killed under the other machine.
          said: /writing the image, attempt/,
          async happens() {
            await first.plugNetwork(false);
            await sleep(SETTLES_MS);
            const written = await first.writtenBytes();
            await sleep(NETWORK_CUT_MS);
            // Whatever arrives of it would be more.
            expect(await first.writtenBytes()).toBeLessThan(written + MIB);
            await first.plugNetwork(true);
          },
        },
      ]);
      // Whoever has got hold of another machine's token gets nowhere with it.
      await one.until('that machine is let in', ({ boots }) => boots !== undefined);
      await second.start(direct(tokens[0]));
      await other.console(/enrolling at .* failed.*token/);
      await second.cutPower();
      await second.start(direct(tokens[1]));
      await other.start('kexec');
      const late = other.through([
        {
          phase: 'write',
          when: async () => (await second.writtenBytes()) > 64 * MIB,
          async happens() {
            for (const victim of ['gateway', 'temporal'] as const) expect(await site.kill(victim)).toBe(1);
          },
        },
        {
          said: /writing this machine's own settings/,
          happens: inside(cutPower(second, direct(tokens[1]))),
        },
        { said: /installing the boot loader/, happens: inside(cutPower(second, direct(tokens[1]))) },
        { said: /verifying the disk: done/, happens: cutPower(second, direct(tokens[1])) },
      ]);
      await Promise.all([
        early.then(async () => {
          await first.off();
          await first.start(networkFirst());
        }),
        // Its firmware is not asked again: the installed kernel takes over.
        late,
      ]);

      await expectInstalled(one, tokens[0], 4);
      await expectInstalled(other, tokens[1], 4);
      // Started by the script of its own: the installer, and, once it had left that, its disk.
      const said = await first.console();
      expect(said).toContain(`Iguana: machine ${IDS[0]} starts the installer`);
      expect(said).toContain(`Iguana: machine ${IDS[0]} is installed and starts its disk`);
      const [written] = answersOf(await one.history(), 'writeImage') as WriteResult[];
      expect(written?.reusedBytes).toBeGreaterThan(32 * MIB);
    });
  });
}
