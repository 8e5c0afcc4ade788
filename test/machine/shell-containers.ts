/** Containers of a few lines of shell that install a machine, and the system that they say they have installed. */
import { cp, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { BootImage } from '../../host/boot/boot-image.ts';
import type { VirtualMachine } from './virtual-machine.ts';

const POLL_MS = 500;

/** All that a shell needs, and a program that waits. */
const SHELL = ['/bin/sh', '/bin/sleep', '/lib64/ld-linux-x86-64.so.2', '/lib/x86_64-linux-gnu/libc.so.6'];

/** The last that it says where the containers have failed. */
export const GIVEN_UP = /the machine restarts in 60 s/;

/** Starts a machine from a boot image with further words, and waits for what it says. @returns all that it has said */
export async function startedWith(
  machine: VirtualMachine,
  boot: BootImage,
  words: string,
  said: RegExp,
): Promise<string> {
  await machine.start({ ...boot, commandLine: `console=ttyS0 quiet panic=10 ${words}` });
  return await saidUntil(machine, said);
}

/** Waits for what a machine says. @returns all that it has said since its start */
export async function saidUntil(machine: VirtualMachine, said: RegExp): Promise<string> {
  for (;;) {
    machine.requireRunnable();
    const console_ = await machine.consoleSinceStart();
    if (said.test(console_)) return console_;
    await sleep(POLL_MS);
  }
}

/** Puts a system onto a disk that says who it is, and switches itself off. */
export async function installSystem(system: string, kernel: string, disk: string): Promise<void> {
  await shellIn(system);
  await mkdir(join(system, 'usr/lib/modules', await kernelVersion(kernel)), { recursive: true });
  for (const folder of ['etc', 'sbin', 'proc', 'sys', 'dev', 'run'])
    await mkdir(join(system, folder), { recursive: true });
  await writeFile(join(system, 'etc/os-release'), 'ID=test\n');
  const init = [
    '#!/bin/sh',
    'exec >/dev/console',
    'for path in /run/iguana/workflow /run/iguana/agent-root/usr; do [ ! -e $path ] || echo "left over: $path"; done',
    'echo "the installed system is $$"',
    'echo o >/proc/sysrq-trigger',
    'while :; do :; done',
    '',
  ].join('\n');
  await writeFile(join(system, 'sbin/init'), init, { mode: 0o755 });
  await execa('mkfs.ext4', ['-q', '-d', system, disk]);
}

/** Puts a shell into a folder. */
async function shellIn(folder: string): Promise<void> {
  for (const path of SHELL) await cp(path, join(folder, path), { dereference: true });
}

/** Makes a container of a few lines of shell, and pushes it. @returns its digest */
export async function pushContainer(folder: string, lines: readonly string[], to: string): Promise<string> {
  await shellIn(join(folder, 'root'));
  await writeFile(join(folder, 'root/program'), `#!/bin/sh\nset -e\n${lines.join('\n')}\n`, { mode: 0o755 });
  await execa('tar', ['-C', join(folder, 'root'), '-cf', join(folder, 'root.tar'), '.']);
  await execa('podman', [
    'import',
    '--quiet',
    '--change',
    'ENTRYPOINT ["/program"]',
    join(folder, 'root.tar'),
    to,
  ]);
  const digest = join(folder, 'digest');
  await execa('podman', ['push', '--quiet', '--tls-verify=false', '--digestfile', digest, to]);
  await execa('podman', ['rmi', to]);
  return (await readFile(digest, 'utf8')).trim();
}

/** Of a bzImage: the field `kernel_version` of its header (kernel.org, "The Linux/x86 Boot Protocol"). */
async function kernelVersion(path: string): Promise<string> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0);
  const at = buffer.readUInt16LE(0x20e) + 0x200;
  return buffer.toString('latin1', at, at + 100).split(' ')[0] ?? '';
}
