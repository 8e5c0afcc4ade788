/**
 * What iPXE (ipxe.org/cmd) is told to start the installer. A script of it never ends: firmware whose network boot has ended goes on to a disk
 * that may be half written.
 */

/** What the installer is told. */
export interface InstallerWords {
  /** Address of the gateway, `https://HOST:PORT`. */
  readonly server: string;
  /** Digest of its authority, `sha256:…`. */
  readonly ca: string;
  readonly token?: string;
  /** Further words for the kernel; of one that is said twice it takes the later. */
  readonly commandLine: string;
}

/** Seconds until a script tries again. */
const PAUSE = 10;

/** A script of these lines. */
export const ipxeScript = (...lines: readonly string[]): string => `${['#!ipxe', ...lines].join('\n')}\n`;

/** Lines that wait. */
export const PAUSED = [`sleep ${PAUSE}`] as const;

/**
 * Lines that start the installer, and come to their end where a file does not come.
 * @param folder where the boot image is, with a slash at its end; empty: beside the script
 */
export function installerLines(folder: string, words: InstallerWords): string[] {
  return [
    `kernel ${folder}vmlinuz ${commandLine(words)} || goto again`,
    `initrd --name initrd.img ${folder}initrd.img || goto again`,
    'boot || goto again',
    ':again',
    'echo Iguana: the installer cannot be started; trying again',
    'imgfree',
    ...PAUSED,
  ];
}

function commandLine({ server, ca, token, commandLine: further }: InstallerWords): string {
  return [
    // The kernel finds the initrd by this name.
    'initrd=initrd.img',
    // Nobody may be there to restart it.
    'panic=60',
    `iguana.server=${server}`,
    `iguana.ca=${ca}`,
    ...(token ? [`iguana.token=${token}`] : []),
    ...(further ? [further] : []),
  ].join(' ');
}
