/** Machines that firmware starts from a USB stick and from a CD; nobody answers them, which is what their agents make the best of. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BootImage } from '../../host/boot/boot-image.ts';
import type { BootMedia } from '../../host/boot/media.ts';
import { FirmwareMachine, RAM_MIB, TIMEOUT_MS } from './firmware.ts';

const MACHINE = '0b1b2c3d-0000-4000-8000-000000000002';
const MACHINE_WITH_CD = '0b1b2c3d-0000-4000-8000-000000000005';
const MB = 1e6;
/** What the agent says that reaches nobody. */
const ALONE = /waiting for the network|enrolling at \S+ failed/;

/** An agent starts in less. */
const TYPED_AGAIN_MS = 120_000;

/** What the command tells in JSON. */
export type Built = BootImage & BootMedia;

/** What the tests share with their neighbours. */
interface Prepared {
  readonly root: string;
  /** For virtual machines. */
  readonly boot: Built;
  /** Makes another one. */
  readonly build: (...words: string[]) => Promise<Built>;
}

/**
 * Registers the tests.
 * @param prepared asked when they run
 * @param server that the boot images know
 */
export function mediaStartTests(prepared: () => Prepared, server: string): void {
  describe('as media', { concurrent: false }, () => {
    it('start a machine from a USB stick, with drivers and firmware of real ones; its agent comes back when it dies', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const { root, build } = prepared();
      const folder = join(root, 'generic');
      const image = await build('-o', folder, '--variant', 'generic', '--firmware');
      const sizes = new Map(image.parts.map(({ name, bytes }) => [name, bytes]));
      expect(sizes.get('firmware')).toBeGreaterThan(MB);
      expect(image.kernelBytes + image.initrdBytes - (sizes.get('firmware') ?? 0)).toBeLessThan(150 * MB);
      expect(sizes.get('modules')).toBeGreaterThan(MB);
      await using machine = await FirmwareMachine.start({
        uuid: MACHINE,
        devices: [
          ...['-drive', `if=none,id=stick,format=raw,readonly=on,file=${image.iso}`],
          ...['-device', 'qemu-xhci', '-device', 'usb-storage,drive=stick,bootindex=0'],
          // Its driver lets it work only after it has loaded firmware into it.
          ...['-netdev', 'user,id=net', '-device', 'i82551,netdev=net,romfile='],
        ],
        memoryMiB: RAM_MIB,
        folder: root,
        words: 'iguana.debug',
      });
      const said = await machine.until(
        new RegExp(`machine ${MACHINE}\\s[\\s\\S]*network \\w+ 10\\.0\\.2\\.15/24`),
      );
      expect(said).toMatch(/starting Boot\S+ "UEFI .* USB/);
      expect(said).toContain(`server ${server}`);

      const before = await machine.until(ALONE);
      const kill = (): void => machine.type('podman kill iguana-agent');
      // What was typed before there is a shell is lost.
      const again = setInterval(kill, TYPED_AGAIN_MS);
      try {
        kill();
        await machine.until(new RegExp(`starting the agent[\\s\\S]*(?:${ALONE.source})`), before.length);
      } finally {
        clearInterval(again);
      }
    });

    it('start a machine from a CD, which starts again when nothing goes on for as long as it is told', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const { root, boot } = prepared();
      await using machine = await FirmwareMachine.start({
        uuid: MACHINE_WITH_CD,
        // No network card: it reaches nobody.
        devices: [
          ...['-drive', `if=none,id=cd,media=cdrom,readonly=on,format=raw,file=${boot.iso}`],
          ...['-device', 'ide-cd,drive=cd,bootindex=0'],
        ],
        memoryMiB: RAM_MIB,
        folder: root,
        words: 'iguana.watchdog=10',
      });
      const said = await machine.restarts();
      expect(said).toMatch(/starting Boot\S+ "UEFI .* DVD-ROM/);
      expect(said).toContain(`machine ${MACHINE_WITH_CD}`);
      expect(said).toContain(`server ${server}`);
      expect(said).toMatch(
        /nothing has gone on for \d+ s \(iguana\.watchdog=10\): restarting the machine[\s\S]*reboot: Restarting system/,
      );
    });
  });
}
