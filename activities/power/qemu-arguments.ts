/** The command line of QEMU for one machine. */
import type { KernelBoot, VirtualMachineInput } from '../contract.ts';
import type { Accelerator } from './accelerator.ts';
import type { Firmware } from './firmware.ts';
import type { MachineFiles } from './machine-files.ts';

/** The program; from Debian's package qemu-system-x86. */
export const QEMU = 'qemu-system-x86_64';

/**
 * Without hardware virtualisation guests saw broken 16-byte compare-and-exchange and 5-level page tables: kernels
 * panicked in four of six boots with the former, in none of eleven without. With a thread for each processor one boot in some
 * sixty panicked where the kernel patches its own code while the other processor runs it; one thread for all has no such
 * races, and takes as long (43 to 48 s for a boot against 34 to 47 s). AVX is emulated one element at a time: without it libraries take
 * other ways, and the boot image's agent polled after 38 s instead of 41 to 48 s.
 */
export const ACCELERATION: Readonly<Record<Accelerator, readonly string[]>> = {
  kvm: ['-accel', 'kvm', '-cpu', 'host'],
  tcg: ['-accel', 'tcg,thread=single', '-cpu', 'max,cx16=off,la57=off,avx=off,avx2=off'],
};

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** @returns the two flash memories of UEFI firmware */
export function pflash(code: string, variables: string): string[] {
  return [
    '-drive',
    `if=pflash,format=raw,unit=0,readonly=on,file=${quoted(code)}`,
    '-drive',
    `if=pflash,format=raw,unit=1,file=${quoted(variables)}`,
  ];
}

/** @returns all arguments; QMP and the pid file are relative to the machine's folder, where QEMU is started */
export function qemuArguments(
  input: VirtualMachineInput,
  files: MachineFiles,
  firmware: Firmware,
  accelerator: Accelerator,
): string[] {
  const forward = input.sshPort > 0 ? `,hostfwd=tcp:127.0.0.1:${input.sshPort}-:22` : '';
  return [
    ...['-name', quoted(input.machineId), '-machine', 'q35', ...ACCELERATION[accelerator]],
    // An id of this form is the one that the machine finds in its firmware, and names itself by.
    ...(UUID.test(input.machineId) ? ['-uuid', input.machineId] : []),
    ...(input.boot ? kernelArguments(input.boot) : []),
    ...['-m', String(input.memoryMiB), '-smp', String(input.cpus)],
    ...['-nodefaults', '-nographic', '-display', 'none'],
    ...pflash(firmware.code, files.variables),
    ...['-drive', `if=none,id=disk,format=raw,discard=unmap,file=${quoted(input.path)}`],
    ...['-device', 'virtio-blk-pci,drive=disk,serial=iguana'],
    // Without it a fresh system waits for entropy before it makes its SSH host keys.
    ...['-device', 'virtio-rng-pci'],
    ...['-netdev', `user,id=net${forward}`, '-device', 'virtio-net-pci,netdev=net'],
    ...['-chardev', `file,id=console,append=on,path=${quoted(files.console)}`, '-serial', 'chardev:console'],
    ...['-qmp', `unix:${files.socketName},server=on,wait=off`, '-pidfile', files.pidFile],
  ];
}

const kernelArguments = ({ kernel, initrd, commandLine }: KernelBoot): string[] => [
  ...['-kernel', kernel, '-initrd', quoted(initrd), '-append', commandLine],
];

/** QEMU splits options at commas; a doubled one stands for itself. */
const quoted = (text: string): string => text.replaceAll(',', ',,');
