/** Attachments of an image that can be installed, small; what a case changes of them makes one that cannot. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';
import { digestOf } from '../../../image/digest.ts';
import { type FileEntry, writeFileList } from '../../../store/file-list.ts';
import { folderWith } from '../../image/servers/folder.ts';

/** An entry of an archive: a name, of a file with that content, or a header. */
export type TarEntry = string | (Partial<Header> & { readonly name: string });

/** What an ESP needs, and what archives of tar(1) also have. */
export const ESP: readonly TarEntry[] = [
  { name: './', type: 'directory' },
  { name: './EFI/', type: 'directory' },
  './EFI/BOOT/BOOTX64.EFI',
  './debian/6.12/linux',
  './debian/6.12/initrd.img',
];

const folder = (path: string): FileEntry => ({
  path,
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
});

/** A program, by its name. */
const program = (path: string): FileEntry => ({
  path,
  type: 'file',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: Buffer.byteLength(path),
  digest: digestOf(path),
});

/** What every installed system needs. */
export const FILES: readonly FileEntry[] = [
  ...['/', '/dev', '/proc', '/run', '/sys', '/usr', '/usr/bin', '/usr/lib', '/usr/lib/systemd'].map(folder),
  { path: '/bin', type: 'symlink', mode: 0o777, uid: 0, gid: 0, size: 0, link: 'usr/bin' },
  program('/usr/bin/bash'),
  program('/usr/lib/systemd/systemd'),
];

/** Bytes of an attachment `esp`. */
export async function espArchive(entries: readonly TarEntry[] = ESP): Promise<Buffer> {
  const archive = pack();
  for (const entry of entries) {
    const header = { mtime: new Date(0), ...(typeof entry === 'string' ? { name: entry } : entry) };
    archive.entry(header, header.type === undefined || header.type === 'file' ? header.name : '');
  }
  archive.finalize();
  return await buffer(archive);
}

/** Bytes of an attachment `files`. */
export async function fileList(entries: Iterable<FileEntry> = FILES): Promise<Buffer> {
  const path = join(folderWith(), 'files');
  await writeFileList(entries, path);
  return await readFile(path);
}
