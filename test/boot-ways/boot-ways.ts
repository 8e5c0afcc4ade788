/** What `iguana boot build` makes beside kernel and initrd: firmware starts it, from the network and from a USB stick. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authority } from '../../gateway/authority/authority.ts';
import { gatewayKeys } from '../../gateway/authority/keys.ts';
import { makeBootImage } from '../../host/boot/boot-image.ts';
import { type BootMedia, makeBootMedia } from '../../host/boot/media.ts';
import { makeUki } from '../../host/boot/uki.ts';
import { gatewayPaths } from '../../host/enrolment/paths.ts';
import { statePaths } from '../../host/state.ts';
import { dnsmasqTests } from './dnsmasq.ts';
import { RAM_MIB, startUntil, TIMEOUT_MS } from './firmware.ts';

const MACHINE = '0b1b2c3d-0000-4000-8000-000000000002';
/** Nobody is there: what it says comes out of the initrd that firmware has loaded. */
const SERVER = 'https://embedded.example:7281';
const SECTOR = 512;
const MB = 1e6;
const REQUEST = {
  baked: true,
  server: SERVER,
  onLine: () => undefined,
} as const;

/** Registers the tests; they may run beside others. */
export function bootWaysTests(): void {
  describe('ways to boot', { concurrent: false }, () => {
    let root: string;
    let state: string;
    let ca: string;
    let boot: { readonly kernel: string; readonly initrd: string };
    let media: BootMedia;
    beforeAll(async () => {
      root = mkdtempSync(join(tmpdir(), 'iguana-boot-ways-'));
      state = join(root, 'state');
      ca = (await Authority.open(await gatewayKeys(gatewayPaths({ root: state })))).digest;
      boot = await makeBootImage(statePaths(), { ...REQUEST, ca, variant: 'virtual', folder: root });
      media = await makeBootMedia(statePaths(), boot, root, () => undefined);
    }, TIMEOUT_MS);
    afterAll(async () => {
      if (root) await rm(root, { recursive: true, force: true });
    });

    it('are the same bytes when they are made again', async () => {
      const again = await makeBootMedia(
        statePaths(),
        boot,
        mkdtempSync(join(root, 'again-')),
        () => undefined,
      );
      expect(await digestOf(again.uki)).toBe(await digestOf(media.uki));
      expect(await digestOf(again.iso)).toBe(await digestOf(media.iso));
    });

    it('hold kernel and initrd as they are, where firmware loads nothing over anything', async () => {
      for (const [section, file] of [
        ['.linux', boot.kernel],
        ['.initrd', boot.initrd],
      ] as const) {
        const copy = join(root, 'section');
        await execa('objcopy', ['--dump-section', `${section}=${copy}`, media.uki, join(root, 'rest.efi')]);
        expect(await digestOf(copy)).toBe(await digestOf(file));
      }
      const { stdout } = await execa('objdump', ['--section-headers', media.uki]);
      const sections = [...stdout.matchAll(/^ +\d+ \.\S+ +([0-9a-f]+) +([0-9a-f]+)/gm)].map(
        ([, size, at]) => ({
          from: BigInt(`0x${at}`),
          to: BigInt(`0x${at}`) + BigInt(`0x${size}`),
        }),
      );
      expect(sections.length).toBeGreaterThan(8);
      for (const [index, { from }] of sections.entries())
        if (index > 0) expect(from).toBeGreaterThanOrEqual(sections[index - 1]?.to ?? 0n);
    });

    it('name one EFI system partition, on a CD as on a disk', async () => {
      expect((await execa('sgdisk', ['--verify', media.iso])).stdout).toContain('No problems found');
      const { stdout: table } = await execa('sgdisk', ['--print', media.iso]);
      const start = Number(/^ +2 +(\d+) .* EF00 /m.exec(table)?.[1]);
      const { stdout: catalog } = await execa('xorriso', ['-indev', media.iso, '-report_el_torito', 'plain']);
      // Number, platform, bootable, emulation, segment, type, size: 0, all that follows; place in sectors of a CD.
      const [, size, place] = /boot img : +1 +UEFI +y +none +\S+ +\S+ +(\d+) +(\d+)/.exec(catalog) ?? [];
      expect([Number(size), (Number(place) * 2048) / SECTOR]).toEqual([0, start]);
      const copy = join(root, 'copy.efi');
      await execa('mcopy', ['-i', `${media.iso}@@${start * SECTOR}`, '::/EFI/BOOT/BOOTX64.EFI', copy]);
      expect(await digestOf(copy)).toBe(await digestOf(media.uki));
    });

    it('need a stub that is one', async () => {
      await expect(makeUki({ ...boot, stub: boot.initrd }, join(root, 'no.efi'))).rejects.toThrow(
        `reading the stub ${boot.initrd}: it is no program for 64-bit UEFI`,
      );
    });

    it('start a machine from a USB stick, with drivers and firmware of real ones', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const image = await makeBootImage(statePaths(), {
        ...REQUEST,
        ca,
        variant: 'generic',
        firmware: true,
        folder: join(root, 'generic'),
      });
      const sizes = new Map(image.parts.map(({ name, bytes }) => [name, bytes]));
      expect(sizes.get('firmware')).toBeGreaterThan(MB);
      expect(image.kernelBytes + image.initrdBytes - (sizes.get('firmware') ?? 0)).toBeLessThan(150 * MB);
      expect(sizes.get('modules')).toBeGreaterThan(MB);
      const { iso } = await makeBootMedia(statePaths(), image, join(root, 'generic'), () => undefined);
      const said = await startUntil({
        said: new RegExp(`machine ${MACHINE}\\s[\\s\\S]*network \\w+ 10\\.0\\.2\\.15/24`),
        uuid: MACHINE,
        devices: [
          ...['-drive', `if=none,id=stick,format=raw,readonly=on,file=${iso}`],
          ...['-device', 'qemu-xhci', '-device', 'usb-storage,drive=stick,bootindex=0'],
          // Its driver lets it work only after it has loaded firmware into it.
          ...['-netdev', 'user,id=net', '-device', 'i82551,netdev=net,romfile='],
        ],
        memoryMiB: RAM_MIB,
        folder: root,
      });
      expect(said).toMatch(/starting Boot\S+ "UEFI .* USB/);
      expect(said).toContain(`server ${SERVER}`);
    });

    dnsmasqTests(() => ({ root, state }), SERVER);
  });
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
