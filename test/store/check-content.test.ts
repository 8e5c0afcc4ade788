/** What an install needs is looked at before a disk is touched. */
import { describe, expect, it } from 'vitest';
import { BadImage } from '../../image/format/errors.ts';
import { checkContent } from '../../store/check-content.ts';
import type { FileEntry } from '../../store/file-list.ts';
import { folderWith } from '../image/servers/folder.ts';
import { ESP, espArchive, FILES, fileList, type TarEntry } from './harness/content.ts';

async function check(esp: readonly TarEntry[], files: readonly FileEntry[]): Promise<void> {
  const folder = folderWith({ esp: await espArchive(esp), files: await fileList(files) });
  await checkContent('fetching it', { esp: `${folder}/esp`, files: `${folder}/files` });
}

it('passes what has all of it, in any order, with /usr merged or not', async () => {
  await check(ESP, FILES);
  await check([...ESP].reverse(), [...FILES].reverse());
  const apart = FILES.map((entry) => ({
    ...entry,
    path: entry.path.replace(/^\/usr(?=\/bin\/|\/lib\/)/, ''),
  }));
  await check(ESP, apart);
});

describe('says what is missing, and what to do', () => {
  const without = (path: string): readonly FileEntry[] => FILES.filter((entry) => entry.path !== path);
  it.each<[string, readonly TarEntry[], readonly FileEntry[], RegExp]>([
    [
      'a boot loader',
      ESP.filter((entry) => !String(entry).includes('BOOTX64')),
      FILES,
      /no boot loader EFI.*add systemd-boot/,
    ],
    [
      'a boot loader of this very name',
      [...ESP.slice(0, 2), 'EFI/BOOT/bootx64.efi', 'a/b/linux'],
      FILES,
      /no boot loader/,
    ],
    [
      'a kernel',
      ESP.filter((entry) => !String(entry).includes('linux')),
      FILES,
      /no kernel: add one as TOKEN/,
    ],
    ['systemd', ESP, without('/usr/lib/systemd/systemd'), /needs: systemd \(.*\); add/],
    ['bash', ESP, without('/usr/bin/bash'), /needs: bash \(\/usr\/bin\/bash or \/bin\/bash\); add/],
    ['a folder', ESP, without('/proc'), /needs: the folder \/proc/],
    ['everything', ESP, [], /systemd .*, bash .*, the folder \/dev .*\/proc .*\/run .*\/sys/],
  ])('%s', async (_, esp, files, message) => {
    const checking = check(esp, files);
    await expect(checking).rejects.toThrow(BadImage);
    await expect(checking).rejects.toThrow(/^fetching it: its /);
    await expect(checking).rejects.toThrow(message);
  });
});

it('stops when it is told to', async () => {
  const folder = folderWith({ esp: await espArchive(), files: await fileList() });
  const stopped = checkContent('', { esp: `${folder}/esp`, files: `${folder}/files` }, AbortSignal.abort());
  await expect(stopped).rejects.toThrow(/abort/);
});
