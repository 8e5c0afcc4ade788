/** A machine of QEMU's whose firmware finds by itself what to start: no kernel is put into its memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFirmware } from '../../activities/power/firmware.ts';
import { ACCELERATION, pflash, QEMU } from '../../activities/power/qemu-arguments.ts';

/** What the machine prints is what the test waits for; its own words go to the screen, which it has not. */
const SERIAL = 'type=11,value=io.systemd.stub.kernel-cmdline-extra=console=ttyS0';

/**
 * Switches a machine on, and off as soon as its console says something.
 * @param uuid of its SMBIOS
 * @param devices that it may start from
 * @param memoryMiB that it has
 * @returns all that its console has said until then
 * @throws Error with that, where QEMU ends before
 */
export async function startUntil(
  said: RegExp,
  uuid: string,
  devices: readonly string[],
  memoryMiB: number,
  folder: string,
): Promise<string> {
  const { code, variables } = await findFirmware();
  const own = join(folder, `${uuid}.fd`);
  await copyFile(variables, own);
  const args = [
    ...['-machine', 'q35', ...ACCELERATION.tcg],
    ...['-m', String(memoryMiB), '-smp', '2', '-nodefaults', '-nographic', '-display', 'none', '-no-reboot'],
    ...pflash(code, own),
    ...['-device', 'virtio-rng-pci', '-uuid', uuid, '-smbios', SERIAL, '-serial', 'stdio'],
    // It would ask for PXE first, and wait half a minute for IPv6.
    ...['-fw_cfg', 'name=opt/org.tianocore/IPv4PXESupport,string=no'],
    ...['-fw_cfg', 'name=opt/org.tianocore/IPv6PXESupport,string=no'],
    ...devices,
  ];
  const child = spawn(QEMU, args, { stdio: ['ignore', 'pipe', 'inherit'] });
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
