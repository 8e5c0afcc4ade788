/** Loading the kernel of the installed system, so that process 1 can start it without going through the firmware: kexec(8). */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Esp } from '../bootloader/esp.ts';
import type { DiskStep } from '../contract.ts';
import { runTool } from '../disk/command.ts';
import { openDisk, openPartition } from '../disk/disk.ts';
import { exclusively } from '../disk/exclusive.ts';
import { failure } from '../failures.ts';

/** What systemd-boot would take: the entry that sorts last. */
const ENTRY = /^loader\/entries\/[^/]+\.conf$/i;

/**
 * Loads kernel, initrd and command line of the default boot entry from the disk that was installed. What was loaded before is replaced.
 * @throws failure `HandoffImpossible` where the disk has no boot entry; `CommandFailed` with kexec's words, e.g. where the kernel must be
 * signed and is not
 */
export async function loadKernel(input: DiskStep): Promise<void> {
  const { storage } = input.manifest;
  const doing = `loading the kernel of ${storage.disk.id}`;
  const folder = await mkdtemp(join(tmpdir(), 'iguana-kexec-'));
  try {
    await exclusively(storage.disk.id, async () => {
      const partition = storage.partitions.find(({ type }) => type === 'esp');
      if (!partition) throw failure('HandoffImpossible', `${doing}: the manifest has no ESP`);
      const disk = await openDisk(input);
      const esp = new Esp(await openPartition(input, disk, partition), disk.id);
      const entry = (await esp.list()).filter((path) => ENTRY.test(path)).at(-1);
      if (entry === undefined) throw failure('HandoffImpossible', `${doing}: its ESP has no boot entry`);
      const local = {
        entry: join(folder, 'entry'),
        linux: join(folder, 'linux'),
        initrd: join(folder, 'initrd'),
      };
      await esp.copyOut(entry, local.entry);
      const { linux, initrd, options = '' } = parseEntry(await readFile(local.entry, 'utf8'));
      if (linux === undefined)
        throw failure('HandoffImpossible', `${doing}: the boot entry ${entry} names no kernel`);
      await esp.copyOut(linux, local.linux);
      if (initrd !== undefined) await esp.copyOut(initrd, local.initrd);
      const with_ = initrd === undefined ? [] : [`--initrd=${local.initrd}`];
      // By this system call the kernel verifies signatures itself where it has to.
      const args = ['--load', '--kexec-file-syscall', local.linux, ...with_, `--command-line=${options}`];
      await runTool('kexec', args, { doing });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns the values of a boot entry by their keys, paths without their leading slash; see the Boot Loader Specification */
export function parseEntry(text: string): Partial<Record<'linux' | 'initrd' | 'options', string>> {
  return Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const [, key, value = ''] = /^(linux|initrd|options)\s+(.*?)\s*$/.exec(line) ?? [];
      return key === undefined ? [] : [[key, key === 'options' ? value : value.replace(/^\//, '')]];
    }),
  );
}
