/** A machine of QEMU's whose firmware finds by itself what to start: no kernel is put into its memory. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { findFirmware } from '../../activities/power/firmware.ts';
import { ACCELERATION, pflash, QEMU } from '../../activities/power/qemu-arguments.ts';

/** What the machine prints is what the test waits for; its own words go to the screen, which it has not. */
const WORDS = 'console=ttyS0';

/** For hanging, not for slowness. */
export const TIMEOUT_MS = 900_000;
/** What `docs/boot.md` says that a machine needs. */
export const RAM_MIB = 1024;

/** A machine that is switched on. */
export interface FirmwareStart {
  /** Of its SMBIOS. */
  readonly uuid: string;
  /** That it may start from. */
  readonly devices: readonly string[];
  readonly memoryMiB: number;
  /** For its firmware's variables. */
  readonly folder: string;
  /** What QEMU's command line begins with, where it shall run elsewhere. */
  readonly within?: readonly string[];
  /** Whether its firmware asks for PXE before anything else; default false. */
  readonly pxe?: boolean;
  /** Further words for the kernel of a unified kernel image; no commas. */
  readonly words?: string;
}

/** Made by {@link FirmwareMachine.start}; it is off as soon as whoever has it is done with it. */
export class FirmwareMachine {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #exit: Promise<unknown>;
  readonly #output: AsyncIterator<string>;
  #said = '';

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#exit = once(child, 'exit');
    this.#output = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
  }

  /** Switches it on. */
  static async start(start: FirmwareStart): Promise<FirmwareMachine> {
    const { uuid, devices, memoryMiB, folder, within = [], pxe = false, words = '' } = start;
    const { code, variables } = await findFirmware();
    const own = join(folder, `${uuid}.fd`);
    await copyFile(variables, own);
    const [program = '', ...args] = [
      ...within,
      QEMU,
      ...['-machine', 'q35', ...ACCELERATION.tcg],
      ...[
        '-m',
        String(memoryMiB),
        '-smp',
        '2',
        '-nodefaults',
        '-nographic',
        '-display',
        'none',
        '-no-reboot',
      ],
      ...pflash(code, own),
      ...['-device', 'virtio-rng-pci', '-uuid', uuid, '-serial', 'stdio'],
      ...['-smbios', `type=11,value=io.systemd.stub.kernel-cmdline-extra=${WORDS} ${words}`],
      ...(pxe ? [] : ['-fw_cfg', 'name=opt/org.tianocore/IPv4PXESupport,string=no']),
      // It would wait half a minute for an answer.
      ...['-fw_cfg', 'name=opt/org.tianocore/IPv6PXESupport,string=no'],
      ...devices,
    ];
    return new FirmwareMachine(spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  /**
   * Waits for words on its console.
   * @param after characters of what it has said that do not count; default 0
   * @returns all that it has said since it was switched on
   * @throws Error with that, where QEMU ends before
   */
  async until(said: RegExp, after = 0): Promise<string> {
    while (!said.test(this.#said.slice(after)))
      if (!(await this.#says())) throw new Error(`QEMU ended before the console said ${said}: ${this.#said}`);
    return this.#said;
  }

  /** Waits until it starts again, where QEMU ends instead. @returns all that it has said */
  async restarts(): Promise<string> {
    while (await this.#says());
    await this.#exit;
    return this.#said;
  }

  /** Types a line on its console. */
  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  async #says(): Promise<boolean> {
    const { value, done } = await this.#output.next();
    if (!done) this.#said += value;
    return !done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }
}

/** Switches a machine on, and off as soon as its console says something. @returns all that it has said until then */
export async function startUntil(said: RegExp, start: FirmwareStart): Promise<string> {
  await using machine = await FirmwareMachine.start(start);
  return await machine.until(said);
}
