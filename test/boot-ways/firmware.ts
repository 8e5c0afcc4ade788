/** A machine of QEMU's whose firmware finds by itself what to start: no kernel is put into its memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFirmware } from '../../activities/power/firmware.ts';
import { ACCELERATION, pflash, QEMU } from '../../activities/power/qemu-arguments.ts';

/** What the machine prints is what the test waits for; its own words go to the screen, which it has not. */
const SERIAL = 'type=11,value=io.systemd.stub.kernel-cmdline-extra=console=ttyS0';

/** For hanging, not for slowness. */
export const TIMEOUT_MS = 900_000;
/** What `docs/boot.md` says that a machine needs. */
export const RAM_MIB = 1024;

/** A machine that is switched on. */
export interface FirmwareStart {
  /** What is waited for on its console. */
  readonly said: RegExp;
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
}

/**
 * Switches a machine on, and off as soon as its console says something.
 * @returns all that its console has said until then
 * @throws Error with that, where QEMU ends before
 */
export async function startUntil(start: FirmwareStart): Promise<string> {
  const { said, uuid, devices, memoryMiB, folder, within = [], pxe = false } = start;
  const { code, variables } = await findFirmware();
  const own = join(folder, `${uuid}.fd`);
  await copyFile(variables, own);
  const [program = '', ...args] = [
    ...within,
    QEMU,
    ...['-machine', 'q35', ...ACCELERATION.tcg],
    ...['-m', String(memoryMiB), '-smp', '2', '-nodefaults', '-nographic', '-display', 'none', '-no-reboot'],
    ...pflash(code, own),
    ...['-device', 'virtio-rng-pci', '-uuid', uuid, '-smbios', SERIAL, '-serial', 'stdio'],
    ...(pxe ? [] : ['-fw_cfg', 'name=opt/org.tianocore/IPv4PXESupport,string=no']),
    // It would wait half a minute for an answer.
    ...['-fw_cfg', 'name=opt/org.tianocore/IPv6PXESupport,string=no'],
    ...devices,
  ];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  let console_ = '';
  try {
    for await (const text of child.stdout.setEncoding('utf8')) {
      console_ += text;
      if (said.test(console_)) return console_;
    }
    throw new Error(`QEMU ended before the console said ${said}: ${console_}`);
  } finally {
    child.kill('SIGKILL');
    await exit;
  }
}
