/** A machine of QEMU's that can be switched on, from the network's boot image or from its disk, and whose power can be cut. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { copyFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFirmware } from '../../activities/power/firmware.ts';
import { pflash, QEMU } from '../../activities/power/qemu-arguments.ts';

/** What a machine starts from when it does not start from its disk. */
export interface NetworkBoot {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
}

const DISK_BYTES = 4 * 2 ** 30;

/** One machine; its disk and its firmware's variables outlive its power. */
export class VirtualMachine {
  readonly disk: string;
  readonly #folder: string;
  readonly #uuid: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string, uuid: string) {
    this.#folder = folder;
    this.#uuid = uuid;
    this.disk = join(folder, 'disk.img');
  }

  /** A machine with an empty disk. */
  static async create(folder: string, uuid: string): Promise<VirtualMachine> {
    const machine = new VirtualMachine(folder, uuid);
    await writeFile(machine.disk, '');
    await truncate(machine.disk, DISK_BYTES);
    const { variables } = await findFirmware();
    await copyFile(variables, join(folder, 'variables.fd'));
    return machine;
  }

  /** Switches it on. @param network default: it starts from its disk */
  async start(network?: NetworkBoot): Promise<void> {
    const { code } = await findFirmware();
    const from = network
      ? ['-kernel', network.kernel, '-initrd', network.initrd, '-append', network.commandLine]
      : [];
    const child = spawn(
      QEMU,
      [
        // As in activities/power/qemu-arguments.ts, which says why.
        ...['-machine', 'q35', '-accel', 'tcg,thread=single', '-cpu', 'max,cx16=off,la57=off'],
        ...['-m', '1024', '-smp', '2', '-nodefaults', '-nographic', '-display', 'none', '-no-reboot'],
        ...pflash(code, join(this.#folder, 'variables.fd')),
        ...['-drive', `if=none,id=disk,format=raw,discard=unmap,file=${this.disk}`],
        ...['-device', 'virtio-blk-pci,drive=disk,serial=disk-one', '-device', 'virtio-rng-pci'],
        ...['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net'],
        ...['-uuid', this.#uuid, '-serial', 'stdio', ...from],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    child.stdout.pipe(createWriteStream(join(this.#folder, 'console.log'), { flags: 'a' }));
    this.#process = child;
  }

  /** Pulls the plug. */
  async cutPower(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Waits until it switches itself off, or would start again. */
  async off(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** Bytes of the disk that were written. */
  async writtenBytes(): Promise<number> {
    return (await stat(this.disk)).blocks * 512;
  }

  /** All that it has ever said. */
  async console(): Promise<string> {
    return await readFile(join(this.#folder, 'console.log'), 'utf8');
  }
}
