/** What `iguana boot build` makes: firmware starts it, from the network, from a USB stick and from a CD. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatBytes } from '../../client/output/format.ts';
import { Authority } from '../../gateway/authority/authority.ts';
import { gatewayKeys } from '../../gateway/authority/keys.ts';
import { makeUki } from '../../host/boot/uki.ts';
import { gatewayPaths } from '../../host/enrolment/paths.ts';
import { CommandLine } from '../client/command.ts';
import { dnsmasqTests } from './dnsmasq.ts';
import { TIMEOUT_MS } from './firmware.ts';
import { type Built, mediaStartTests } from './media-starts.ts';

/** Nobody is there: what it says comes out of the initrd that firmware has loaded. */
const SERVER = 'https://embedded.example:7281';
const SECTOR = 512;

/** Registers the tests; they may run beside others. */
export function bootWaysTests(): void {
  describe('ways to boot', { concurrent: false }, () => {
    let root: string;
    let state: string;
    let ca: string;
    let iguana: CommandLine;
    let boot: Built;

    async function build(...words: string[]): Promise<Built> {
      const { status, documents } = await iguana.json(['boot', 'build', '--server', SERVER, ...words]);
      expect({ status, documents }).toMatchObject({ status: 0, documents: [{ kind: 'boot-image' }] });
      return documents[0] as Built;
    }

    beforeAll(async () => {
      root = mkdtempSync(join(tmpdir(), 'iguana-boot-ways-'));
      state = join(root, 'state');
      iguana = new CommandLine({ IGUANA_STATE: state });
      ca = (await Authority.open(await gatewayKeys(gatewayPaths({ root: state })))).digest;
      boot = await build('-o', root, '--ca', ca);
    }, TIMEOUT_MS);
    afterAll(async () => {
      if (root) await rm(root, { recursive: true, force: true });
    });

    it('are the same bytes when they are made again, and people are told what takes the space', async () => {
      const again = mkdtempSync(join(root, 'again-'));
      const { status, stdout } = await iguana.run(['boot', 'build', '--server', SERVER, '-o', again]);
      expect(status).toBe(0);
      const sizes = [
        ['vmlinuz', 'kernel', boot.kernelBytes],
        ['initrd.img', 'initrd', boot.initrdBytes],
        ['iguana.efi', 'UEFI', boot.ukiBytes],
        ['iguana.iso', 'CD, USB', boot.isoBytes],
      ] as const;
      const lines = stdout.split('\n').map((line) => line.trim().replace(/ {2,}/g, '  '));
      for (const [name, what, bytes] of sizes) {
        expect(await digestOf(join(again, name))).toBe(await digestOf(join(root, name)));
        expect((await stat(join(again, name))).size).toBe(bytes);
        expect(lines).toContain(`${what}  ${formatBytes(bytes)}  ${join(again, name)}`);
      }
      expect(boot.parts.map(({ name }) => name)).toEqual(['system', 'modules', 'agent', 'configuration']);
      for (const { name, bytes } of boot.parts) expect(lines).toContain(`${name}  ${formatBytes(bytes)}`);
      expect(boot.largest.map(({ what }) => what)).toContain('usr/bin/podman');
      for (const { what, bytes } of boot.largest) expect(lines).toContain(`${formatBytes(bytes)} ${what}`);
    });

    it('hold kernel and initrd as they are, where firmware loads nothing over anything', async () => {
      for (const [section, file] of [
        ['.linux', boot.kernel],
        ['.initrd', boot.initrd],
      ] as const) {
        const copy = join(root, 'section');
        await execa('objcopy', ['--dump-section', `${section}=${copy}`, boot.uki, join(root, 'rest.efi')]);
        expect(await digestOf(copy)).toBe(await digestOf(file));
      }
      const { stdout } = await execa('objdump', ['--section-headers', boot.uki]);
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
      expect((await execa('sgdisk', ['--verify', boot.iso])).stdout).toContain('No problems found');
      const { stdout: table } = await execa('sgdisk', ['--print', boot.iso]);
      const start = Number(/^ +2 +(\d+) .* EF00 /m.exec(table)?.[1]);
      const { stdout: catalog } = await execa('xorriso', ['-indev', boot.iso, '-report_el_torito', 'plain']);
      // Number, platform, bootable, emulation, segment, type, size: 0, all that follows; place in sectors of a CD.
      const [, size, place] = /boot img : +1 +UEFI +y +none +\S+ +\S+ +(\d+) +(\d+)/.exec(catalog) ?? [];
      expect([Number(size), (Number(place) * 2048) / SECTOR]).toEqual([0, start]);
      const copy = join(root, 'copy.efi');
      await execa('mcopy', ['-i', `${boot.iso}@@${start * SECTOR}`, '::/EFI/BOOT/BOOTX64.EFI', copy]);
      expect(await digestOf(copy)).toBe(await digestOf(boot.uki));
    });

    it('need a stub that is one', async () => {
      await expect(makeUki({ ...boot, stub: boot.initrd }, join(root, 'no.efi'))).rejects.toThrow(
        `reading the stub ${boot.initrd}: it is no program for 64-bit UEFI`,
      );
    });

    mediaStartTests(() => ({ root, boot, build }), SERVER);
    dnsmasqTests(() => ({ root, state }), SERVER);
  });
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
