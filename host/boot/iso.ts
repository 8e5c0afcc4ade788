/**
 * The boot image as a medium: one file that is a CD for UEFI firmware (El Torito) and, written to a USB stick or a disk, a disk with a GUID
 * partition table. Both name the same EFI system partition, in which the unified kernel image is what firmware starts by itself.
 */
import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EPOCH_SECONDS } from '../containers/debian.ts';
import { runTool } from './run-tool.ts';

const LABEL = 'IGUANA';
const MIB = 2 ** 20;
/** FAT32 needs 65525 clusters, of 512 bytes at least; its two tables take four bytes each for a cluster. */
const ESP = { smallest: 36 * MIB, tables: 1 / 32, rest: 4 * MIB } as const;
/** Type of an EFI system partition (UEFI specification, 5.3.3). */
const ESP_TYPE = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';
/** For whoever looks into it on another system. */
const README = `This medium starts Iguana's installer on machines with UEFI firmware. There is nothing to open here:
the program is in the medium's EFI system partition, as EFI/BOOT/BOOTX64.EFI.
`;

/**
 * Makes the medium. The same program gives the same bytes.
 * @param uki the unified kernel image
 * @throws Error with what mkfs.vfat, mtools or xorriso said
 */
export async function makeIso(uki: string, path: string): Promise<void> {
  const doing = `making ${path}`;
  const work = await mkdtemp(join(dirname(path), '.iso-'));
  try {
    const esp = join(work, 'esp.img');
    await makeEsp(uki, esp, doing);
    const tree = join(work, 'tree');
    await mkdir(tree);
    await writeFile(join(tree, 'README.TXT'), README);
    const args = [
      ...['-as', 'mkisofs', '-quiet', '-o', path, '-V', LABEL, '-r'],
      ...['--set_all_file_dates', `=${EPOCH_SECONDS}`],
      // The first partition begins behind the table, so that it can be mounted from a USB stick too.
      ...['-partition_offset', '16', '-append_partition', '2', ESP_TYPE, esp, '-appended_part_as_gpt'],
      ...['-eltorito-platform', 'efi', '-e', '--interval:appended_partition_2:all::', '-no-emul-boot'],
      // The field is for 32 MB at most. Where it says 0 or 1, firmware takes all that follows (UEFI specification, 13.3.2.1).
      ...['-boot-load-size', '1', tree],
    ];
    await runTool('xorriso', args, { doing, from: 'xorriso' });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** mtools write a FAT also where the kernel has none, and need no privilege. */
async function makeEsp(uki: string, path: string, doing: string): Promise<void> {
  const { size } = await stat(uki);
  const bytes = Math.max(ESP.smallest, size * (1 + ESP.tables) + ESP.rest);
  await writeFile(path, '');
  await truncate(path, Math.ceil(bytes / MIB) * MIB);
  await runTool('mkfs.vfat', ['--invariant', '-F', '32', '-n', LABEL, path], { doing, from: 'dosfstools' });
  const mtools = { doing, from: 'mtools' };
  await runTool('mmd', ['-i', path, '::/EFI', '::/EFI/BOOT'], mtools);
  await runTool('mcopy', ['-i', path, uki, '::/EFI/BOOT/BOOTX64.EFI'], mtools);
}
