/** UEFI firmware for virtual machines: OVMF as distributions package it. */
import { access, copyFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from '../failures.ts';

/** Code and the template of its variables; both are of one build and belong together. */
export interface Firmware {
  readonly code: string;
  readonly variables: string;
}

/** Where packages put them: Debian 12 and 13 (4 MB), Debian 11 (2 MB), openSUSE, Fedora. */
const KNOWN: readonly Firmware[] = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  { code: '/usr/share/OVMF/OVMF_CODE.fd', variables: '/usr/share/OVMF/OVMF_VARS.fd' },
  { code: '/usr/share/qemu/ovmf-x86_64-code.bin', variables: '/usr/share/qemu/ovmf-x86_64-vars.bin' },
  { code: '/usr/share/edk2/ovmf/OVMF_CODE.fd', variables: '/usr/share/edk2/ovmf/OVMF_VARS.fd' },
];

/** @throws failure `ToolMissing` where no package of OVMF is installed */
export async function findFirmware(): Promise<Firmware> {
  for (const firmware of KNOWN) {
    if ((await exists(firmware.code)) && (await exists(firmware.variables))) return firmware;
  }
  throw failure(
    'ToolMissing',
    'starting the virtual machine: there is no UEFI firmware for QEMU (package ovmf)',
    {
      context: { lookedAt: KNOWN.map(({ code }) => code) },
    },
  );
}

/** @returns the machine's own copy of the variables: firmware writes into it */
export async function ensureVariables(firmware: Firmware, folder: string): Promise<string> {
  const path = join(folder, 'variables.fd');
  if (await exists(path)) return path;
  await copyFile(firmware.variables, `${path}.new`);
  await rename(`${path}.new`, path);
  return path;
}

/** @returns whether there is something at a path */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
