/**
 * The boot image as one program for UEFI firmware, a unified kernel image: systemd-boot's stub with the kernel, the initrd and the
 * words for the kernel as further sections (uapi-group.org, "Unified Kernel Image"). It is not signed.
 */
import { open, rm, stat, writeFile } from 'node:fs/promises';
import { runTool } from './run-tool.ts';

/**
 * What the kernel is told where nobody says anything else: no address, no token; those are in the initrd, or come with the load options of
 * whoever starts it. What is said goes to the console that is named last; people stand before a screen.
 */
const COMMAND_LINE = 'quiet panic=60 console=ttyS0,115200 console=tty0';

/** os-release(5); boot loaders show the name, and take a file without this section for something else. */
const OS_RELEASE = 'ID=iguana\nNAME="Iguana"\nPRETTY_NAME="Iguana installer"\n';

/** Files that a unified kernel image is made of. */
export interface UkiParts {
  readonly stub: string;
  readonly kernel: string;
  readonly initrd: string;
}

/**
 * Makes the image. The same files give the same bytes.
 * @throws Error where the stub is none, or with what objcopy said
 */
export async function makeUki({ stub, kernel, initrd }: UkiParts, path: string): Promise<void> {
  const own = { osrel: `${path}.osrel`, cmdline: `${path}.cmdline` };
  try {
    await writeFile(own.osrel, OS_RELEASE);
    await writeFile(own.cmdline, `${COMMAND_LINE}\0`);
    // The kernel comes last: what grows when it starts has nothing behind it.
    const sections = { ...own, initrd, linux: kernel };
    const { end, alignment } = await memoryOf(stub);
    let address = end;
    const args: string[] = [];
    for (const [name, file] of Object.entries(sections)) {
      args.push('--add-section', `.${name}=${file}`, '--set-section-flags', `.${name}=data,readonly`);
      args.push('--change-section-vma', `.${name}=0x${address.toString(16)}`);
      address += BigInt(Math.ceil((await stat(file)).size / alignment) * alignment);
    }
    // Without this the time of the build would be in the header.
    await runTool('objcopy', ['--preserve-dates', ...args, stub, path], {
      doing: `making ${path}`,
      from: 'binutils',
    });
  } finally {
    for (const file of Object.values(own)) await rm(file, { force: true });
  }
}

/** Offsets of the header that are needed, from "PE Format" (learn.microsoft.com); the optional header is that of PE32+. */
const PE = { header: 0x3c, optional: 24, imageBase: 24, sectionAlignment: 32, imageSize: 56 } as const;
const PE32_PLUS = 0x20b;

/** Where the next section of a program may be: firmware loads no sections that overlap. */
async function memoryOf(stub: string): Promise<{ readonly end: bigint; readonly alignment: number }> {
  const file = await open(stub);
  try {
    const head = Buffer.alloc(4096);
    await file.read(head, 0, head.length, 0);
    const optional = head.readUInt32LE(PE.header) + PE.optional;
    if (optional > head.length - 64 || head.readUInt16LE(optional) !== PE32_PLUS)
      throw new Error(`reading the stub ${stub}: it is no program for 64-bit UEFI`);
    return {
      end: head.readBigUInt64LE(optional + PE.imageBase) + BigInt(head.readUInt32LE(optional + PE.imageSize)),
      alignment: head.readUInt32LE(optional + PE.sectionAlignment),
    };
  } finally {
    await file.close();
  }
}
