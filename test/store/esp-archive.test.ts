/** The attachment `esp`: its files by path, or refused, both where it is looked at and where it is unpacked. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { unpackEspContent } from '../../activities/bootloader/esp-content.ts';
import { BadImage } from '../../image/format/errors.ts';
import { ImageIoError } from '../../image/io-error.ts';
import { espFiles } from '../../store/esp-archive.ts';
import { folderWith } from '../image/servers/folder.ts';
import { ESP, espArchive, type TarEntry } from './harness/content.ts';

async function archiveOf(bytes: Buffer): Promise<string> {
  const path = join(folderWith(), 'esp.tar');
  await writeFile(path, bytes);
  return path;
}

async function pathsOf(archive: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of espFiles(archive)) paths.push(path);
  return paths;
}

const PATHS = ['EFI/BOOT/BOOTX64.EFI', 'debian/6.12/initrd.img', 'debian/6.12/linux'];

it('names its files, and is unpacked to them', async () => {
  const archive = await archiveOf(await espArchive());
  expect((await pathsOf(archive)).sort()).toEqual(PATHS);
  const folder = folderWith();
  expect(await unpackEspContent(archive, folder)).toEqual(PATHS);
  expect(await readFile(join(folder, 'debian/6.12/linux'), 'utf8')).toBe('./debian/6.12/linux');
});

it.each(['ustar', 'pax', 'gnu'])('may be %s, as tar(1) makes it of a folder', async (format) => {
  const folder = folderWith();
  const long = `${'a'.repeat(90)}/${'b'.repeat(90)}`;
  await execa('sh', ['-c', `mkdir -p "$(dirname ${long})"; echo long > ${long}; echo short > c`], {
    cwd: folder,
  });
  const archive = join(folderWith(), 'esp.tar');
  await execa('tar', [`--format=${format}`, '--create', '--file', archive, '--directory', folder, '.']);
  expect((await pathsOf(archive)).sort()).toEqual([long, 'c']);
});

it('may have names as long as FAT has them, in units of UTF-16', async () => {
  const names = ['a'.repeat(255), `b${'😀'.repeat(127)}`];
  expect(await pathsOf(await archiveOf(await espArchive(names)))).toEqual(names);
});

it('that is not there: the system says so', async () => {
  await expect(pathsOf(join(folderWith(), 'none'))).rejects.toThrow(ImageIoError);
});

describe('is refused, by its path and the reason, with', () => {
  it.each<[string, readonly TarEntry[], RegExp]>([
    [
      'a symbolic link',
      [{ name: 'a', type: 'symlink', linkname: 'b' }],
      /"a" \(symlink\) does not belong there/,
    ],
    ['a link', [{ name: 'a', type: 'link', linkname: 'b' }], /"a" \(link\)/],
    ['a device', [{ name: 'a', type: 'character-device' }], /"a" \(character-device\)/],
    ['an absolute path', ['/a'], /"\/a" \(file\)/],
    ['a path that leads out of it', ['EFI/../../a'], /"EFI\/\.\.\/\.\.\/a" \(file\)/],
    ['a folder with an absolute path', [{ name: '/abs/', type: 'directory' }], /"\/abs\/" \(directory\)/],
    ['a folder that leads out of it', [{ name: '../x/', type: 'directory' }], /"\.\.\/x\/" \(directory\)/],
    ['a name that FAT does not have', ['EFI/a:b'], /"EFI\/a:b" \(file\)/],
    ['a name that is too long for FAT', ['a'.repeat(256)], /"a{256}" \(file\)/],
    ['one that is so in UTF-16', [`a${'😀'.repeat(128)}`], /"a(😀){128}" \(file\)/u],
    ['two paths that differ in case', ['EFI/BOOT/a', 'EFI/Boot/A'], /EFI\/Boot and EFI\/BOOT are the same/],
    ['two files that differ in case', ['EFI/a', 'EFI/A'], /EFI\/A and EFI\/a are the same/],
    ['a file twice', ['a', './a'], /a and a are the same/],
    ['a file that is a folder, too', ['a', 'A/b'], /A and a are the same/],
  ])('%s', async (_, entries, message) => {
    const archive = await archiveOf(await espArchive([...ESP, ...entries]));
    const looking = pathsOf(archive);
    await expect(looking).rejects.toThrow(BadImage);
    await expect(looking).rejects.toThrow(message);
    await expect(looking).rejects.toThrow(archive);
    await expect(unpackEspContent(archive, folderWith())).rejects.toMatchObject({
      type: 'ImageCorrupt',
      message: expect.stringMatching(message),
    });
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['its end missing', (bytes) => bytes.subarray(0, 3 * 512 + 100)],
    ['noise instead', () => Buffer.alloc(4096, 'noise')],
  ])('%s', async (_, damage) => {
    const archive = await archiveOf(damage(await espArchive()));
    await expect(pathsOf(archive)).rejects.toThrow(/it is no whole tar archive/);
    await expect(unpackEspContent(archive, folderWith())).rejects.toMatchObject({ type: 'ImageCorrupt' });
  });
});
