/** A boot image that pulls its agent: what nobody has signed, or somebody else, is refused; the console and the history say so. */
import { mkdtempSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeBootImage } from '../../host/boot/boot-image.ts';
import { freePort } from '../../host/free-port.ts';
import { statePaths } from '../../host/state.ts';
import { CommandLine } from '../client/command.ts';
import { LOOPBACK, makeCertificates } from '../image/servers/certificates.ts';
import { startRegistry } from '../image/servers/registry.ts';
import { Site } from '../install/site.ts';
import { dracutSystem } from './dracut-system.ts';
import { HOST, MachineInstall } from './machine-install.ts';
import { pushAgent } from './push-agent.ts';
import { Signing } from './signing.ts';
import { VirtualMachine } from './virtual-machine.ts';

const MACHINE = '0a1b2c3d-0000-4000-8000-000000000003';
const TIMEOUT_MS = 1_200_000;

/** Registers the tests; they may run beside others. */
export function pulledAgentTests(): void {
  describe('an agent that is pulled', { concurrent: false }, () => {
    const root = mkdtempSync(join(tmpdir(), 'iguana-pulled-'));
    let site: Site;
    let machine: VirtualMachine;
    let dracut: Awaited<ReturnType<typeof dracutSystem>>;

    beforeAll(async () => {
      dracut = await dracutSystem();
      site = new Site(root, { IGUANA_GATEWAY_NAMES: HOST, IGUANA_GATEWAY_PORT: String(await freePort()) });
      await site.start();
      machine = await VirtualMachine.create(join(root, 'machine'), MACHINE);
    }, TIMEOUT_MS);
    afterAll(async () => {
      await machine?.cutPower();
      await site?.remove();
    });

    it('runs when it is signed by the key of the boot image, and not before', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const [tls, ours, others] = await Promise.all([
        makeCertificates(HOST, LOOPBACK),
        Signing.create(),
        Signing.create(),
      ]);
      const registry = await startRegistry({ tls });
      const digest = await pushAgent(`${registry.host}/iguana/agent`, tls.ca);
      // As the guest calls it.
      const agent = `${registry.host.replace(LOOPBACK, HOST)}/iguana/agent`;

      const iguana = new CommandLine({ IGUANA_STATE: root, COSIGN_PASSWORD: '' });
      const { documents } = await iguana.json(['machine', 'token', 'create']);
      const [{ token, caDigest }] = documents as [{ token: string; caDigest: string }];
      const request = {
        variant: 'virtual',
        baked: false,
        folder: join(root, 'boot'),
        server: `https://${HOST}:${site.environment.IGUANA_GATEWAY_PORT}`,
        ca: caDigest,
        token,
        agent: `${agent}@${digest}`,
        agentKey: await readFile(`${ours.keys}.pub`, 'utf8'),
        registryCa: await readFile(tls.ca, 'utf8'),
        onLine: () => undefined,
      } as const;
      const boot = await makeBootImage(statePaths(), request);
      expect(boot.parts.map(({ name }) => name)).not.toContain('agent');

      const install = new MachineInstall(site, MACHINE, machine);
      await install.start();
      await machine.start({ ...boot, commandLine: 'console=ttyS0 quiet panic=10' });
      await install.console(/refusing the agent .*no signature exists/);
      await others.sign(`${registry.host}/iguana/agent@${digest}`, agent);
      await install.console(
        /refusing the agent .*(?:invalid signature|cryptographic signature verification failed)/,
      );
      expect(await machine.console()).toContain('what to do: sign it with the key of this boot image');
      // Cosign has signed for the others.
      const words = ['--key', `${ours.keys}.key`, '--identity', agent, '--ca', tls.ca];
      const signed = await iguana.run([
        'image',
        'sign',
        `docker://${registry.host}/iguana/agent@${digest}`,
        ...words,
      ]);
      expect(signed).toMatchObject({ status: 0 });
      const { boots } = await install.until('the agent', (status) => status.boots !== undefined);
      expect(boots).toHaveLength(1);
      const { stdout } = await iguana.run(['history', MACHINE]);
      expect(stdout).toMatch(
        /the machine has started from its boot image .* after refusing .*no signature exists.*(?:invalid signature|cryptographic signature verification failed)/s,
      );
      await install.console(/looking at this machine: done/);

      // The same machine goes on in a boot image that a distribution has made by dracut out of its own packages.
      await machine.cutPower();
      const theirs = await makeBootImage(statePaths(), {
        ...request,
        folder: join(root, 'dracut'),
        system: dracut,
        firmware: true,
      });
      await machine.start({ ...theirs, commandLine: 'console=ttyS0 quiet panic=10' });
      await install.until('the agent in the other boot image', (status) => status.boots?.length === 2);
    });
  });
}
