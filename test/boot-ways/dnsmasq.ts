/** The settings of dnsmasq that `docs/boot.md` shows, word by word: firmware starts by them, in a network that has nothing else. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatewayPaths, machineFile } from '../../host/enrolment/paths.ts';
import { writeRecord } from '../../host/enrolment/records.ts';
import { RAM_MIB, startUntil, TIMEOUT_MS } from './firmware.ts';
import { IsolatedNetwork } from './isolated-network.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/boot.md', import.meta.url));
const GATEWAY = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url));
/** Where the document says that Debian's package has it. */
const IPXE = '/usr/lib/ipxe/ipxe.efi';
/** This host and the folder of TFTP, by the document. */
const HOST = '10.0.0.1';
const TFTP = '/srv/tftp';
const MACHINES = ['0b1b2c3d-0000-4000-8000-000000000003', '0b1b2c3d-0000-4000-8000-000000000004'] as const;

/** What the tests share with their neighbours. */
interface Prepared {
  /** Holds the files of the boot image. */
  readonly root: string;
  /** Of the gateway whose authority the boot image knows. */
  readonly state: string;
}

/**
 * Registers the tests.
 * @param prepared asked when they run
 * @param server that the boot image knows
 */
export function dnsmasqTests(prepared: () => Prepared, server: string): void {
  describe('with dnsmasq, as the document has it,', { concurrent: false }, () => {
    let network: IsolatedNetwork | undefined;
    beforeAll(async () => {
      const { root, state } = prepared();
      // Temporal is away: a machine that was here before gets what it got then.
      for (const machineId of MACHINES) {
        const record = { machineId, target: 'installer', since: new Date().toISOString() };
        await writeRecord(gatewayPaths({ root: state }).boots, machineFile(machineId), record);
      }
      network = await IsolatedNetwork.make(`${HOST}/24`);
      await network.serve(process.execPath, [GATEWAY], /the gateway is ready/, {
        TEMPORAL_ADDRESS: '127.0.0.1:1',
        IGUANA_STATE: state,
        IGUANA_GATEWAY_HOST: HOST,
        IGUANA_BOOT_FOLDER: root,
        IGUANA_BOOT_HOST: HOST,
        IGUANA_BOOT_CMDLINE: 'quiet console=ttyS0',
      });
      await mkdir(join(root, 'tftp'));
      await copyFile(IPXE, join(root, 'tftp/ipxe.efi'));
    });
    afterAll(async () => {
      await network?.remove();
    });

    /** The console, up to where the machine has told its address. */
    async function started(chapter: string, uuid: string, pxe: boolean): Promise<string> {
      if (!network) throw new Error('there is no network');
      const { root } = prepared();
      const file = join(root, 'dnsmasq.conf');
      await writeFile(file, (await settingsOf(chapter)).replace(TFTP, join(root, 'tftp')));
      // Nothing of this host's is read or changed; the folder of these tests is root's.
      const own = ['--user=root', '--no-hosts', '--no-resolv', '--leasefile-ro', '--pid-file='];
      const words = ['--keep-in-foreground', '--log-facility=-', `--conf-file=${file}`, ...own];
      const stop = await network.serve('dnsmasq', words, /DHCP, IP range/);
      try {
        const address = new RegExp(`machine ${uuid}\\s[\\s\\S]*network \\w+ 10\\.0\\.0\\.1\\d\\d/24`);
        return await startUntil(address, {
          uuid,
          devices: network.card(),
          memoryMiB: RAM_MIB,
          folder: root,
          within: network.within,
          pxe,
        });
      } finally {
        await stop();
      }
    }

    it('start a machine by PXE, iPXE and the script of the machine', { timeout: TIMEOUT_MS }, async () => {
      const said = await started('PXE with dnsmasq', MACHINES[0], true);
      expect(said).toContain('NBP filename is ipxe.efi');
      expect(said).toContain(`Filename: http://${HOST}:7282/boot/ipxe`);
      expect(said).toContain(`Iguana: machine ${MACHINES[0]} starts the installer`);
      expect(said).toContain(`server https://${HOST}:7281`);
    });

    it('start a machine whose firmware fetches the program over HTTP', { timeout: TIMEOUT_MS }, async () => {
      const said = await started('UEFI HTTP boot with dnsmasq', MACHINES[1], false);
      expect(said).toContain(`http://${HOST}:7282/boot/iguana.efi`);
      expect(said).toContain(`server ${server}`);
    });
  });
}

/** The settings that a chapter of the document shows. */
async function settingsOf(chapter: string): Promise<string> {
  const text = await readFile(DOCUMENT, 'utf8');
  const [, after] = text.split(`\n## ${chapter}\n`);
  const settings = /^```\n([\s\S]*?)^```$/m.exec(after?.split('\n## ')[0] ?? '')?.[1];
  if (settings === undefined) throw new Error(`docs/boot.md shows no settings in its chapter ${chapter}`);
  return settings;
}
