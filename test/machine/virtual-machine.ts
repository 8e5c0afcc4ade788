/** A machine of QEMU's that can be switched on, from the network's boot image or from its disk, and whose power can be cut. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { findFirmware } from '../../activities/power/firmware.ts';
import { ACCELERATION, pflash, QEMU } from '../../activities/power/qemu-arguments.ts';

/** What a machine is given by the network. */
export type NetworkBoot =
  | { readonly kernel: string; readonly initrd: string; readonly commandLine: string }
  /** Its firmware always asks the network first: the iPXE of its network card runs the script at this address. */
  | { readonly script: string };

const DISK_BYTES = 4 * 2 ** 30;

/** One machine; its disk and its firmware's variables outlive its power. */
export class VirtualMachine {
  readonly disk: string;
  /** Another one, on which nothing may ever be written. */
  readonly other: string;
  readonly #folder: string;
  readonly #uuid: string;
  #process: ChildProcess | undefined;
  #failure: string | undefined;
  /** Until all that it said since its last start is in its record. */
  #recorded: Promise<void> | undefined;
  /** Characters of the console that are older than its last start. */
  #earlier = 0;

  private constructor(folder: string, uuid: string) {
    this.#folder = folder;
    this.#uuid = uuid;
    this.disk = join(folder, 'disk.img');
    this.other = join(folder, 'other.img');
  }

  /**
   * A machine with two empty disks, one of which is meant.
   * @param folder for what it is made of; made
   */
  static async create(folder: string, uuid: string): Promise<VirtualMachine> {
    await mkdir(folder, { recursive: true });
    const machine = new VirtualMachine(folder, uuid);
    for (const path of [machine.disk, machine.other]) {
      await writeFile(path, '');
      await truncate(path, DISK_BYTES);
    }
    const { variables } = await findFirmware();
    await copyFile(variables, join(folder, 'variables.fd'));
    await writeFile(join(folder, 'console.log'), '');
    return machine;
  }

  /**
   * Switches it on.
   * @param network default: it starts from its disk
   * @param swapped whether its two disks come in the other order, so that their names change
   */
  async start(network?: NetworkBoot, swapped = false): Promise<void> {
    const disks = [this.disk, this.other].map((path, index) => [
      ...['-drive', `if=none,id=disk${index},format=raw,discard=unmap,file=${path}`],
      ...['-device', `scsi-hd,bus=scsi.0,drive=disk${index},serial=disk-${index},bootindex=${index + 1}`],
    ]);
    const { code } = await findFirmware();
    this.#earlier = (await this.console()).length;
    // The one of a QEMU that was killed would be found before there is a new one.
    await rm(join(this.#folder, 'monitor'), { force: true });
    const from =
      network && 'kernel' in network
        ? ['-kernel', network.kernel, '-initrd', network.initrd, '-append', network.commandLine]
        : [];
    const script = network && 'script' in network ? network.script : undefined;
    const child = spawn(
      QEMU,
      [
        ...['-machine', 'q35', ...ACCELERATION.tcg],
        ...['-m', '1024', '-smp', '2', '-nodefaults', '-nographic', '-display', 'none', '-no-reboot'],
        ...pflash(code, join(this.#folder, 'variables.fd')),
        ...['-device', 'virtio-scsi-pci,id=scsi', ...(swapped ? disks.toReversed() : disks).flat()],
        ...['-device', 'virtio-rng-pci'],
        ...['-netdev', `user,id=net${script === undefined ? '' : `,bootfile=${script}`}`],
        ...['-device', `virtio-net-pci,netdev=net${script === undefined ? '' : ',bootindex=0'}`],
        // It waits half a minute for answers over IPv6, which this network has not.
        ...['-fw_cfg', 'name=opt/org.tianocore/IPv6PXESupport,string=no'],
        ...['-uuid', this.#uuid, '-serial', 'stdio', ...from],
        // A socket's path may not be long.
        ...['-monitor', 'unix:monitor,server=on,wait=off'],
      ],
      { cwd: this.#folder, stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.#recorded = pipeline(
      child.stdout,
      createWriteStream(join(this.#folder, 'console.log'), { flags: 'a' }),
    );
    this.#process = child;
    child.once('exit', (status) => {
      // A cut has no status; whoever switches itself off has 0.
      if (status) this.#failure = `QEMU ended with status ${status}`;
    });
  }

  /** @throws Error where QEMU could not run it */
  requireRunnable(): void {
    if (this.#failure !== undefined) throw new Error(this.#failure);
  }

  async #requireOn(): Promise<void> {
    if (this.#isOn()) return;
    throw new Error(`the machine has switched itself off:\n${await this.console()}`);
  }

  #isOn(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  /** Types a line on its console. */
  async type(line: string): Promise<void> {
    await this.#requireOn();
    this.#process?.stdin?.write(`${line}\n`);
  }

  /** Pulls the plug. */
  async cutPower(): Promise<void> {
    const child = this.#process;
    if (!child || !this.#isOn()) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    await this.#recorded;
  }

  /** Pulls its network cable, or puts it back. */
  async plugNetwork(isIn: boolean): Promise<void> {
    await this.#requireOn();
    const monitor = connect(join(this.#folder, 'monitor'));
    await once(monitor, 'data');
    monitor.end(`set_link net ${isIn ? 'on' : 'off'}\n`);
    await once(monitor.resume(), 'close');
  }

  /** Waits until it switches itself off, or would start again. */
  async off(): Promise<void> {
    const child = this.#process;
    if (child && this.#isOn()) await once(child, 'exit');
    await this.#recorded;
  }

  /** Bytes that were written. */
  async writtenBytes(disk = this.disk): Promise<number> {
    return (await stat(disk)).blocks * 512;
  }

  /** All that it has ever said. */
  async console(): Promise<string> {
    return await readFile(join(this.#folder, 'console.log'), 'utf8');
  }

  /** What it has said since it was switched on the last time. */
  async consoleSinceStart(): Promise<string> {
    return (await this.console()).slice(this.#earlier);
  }
}
