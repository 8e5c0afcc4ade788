/** Scripts for iPXE (ipxe.org/cmd). Addresses without a host are relative to that of the script. */

/** What is put into the script of a machine that starts the installer. */
export interface InstallerWords {
  /** Address of the gateway, `https://HOST:PORT`. */
  readonly server: string;
  /** Digest of its authority, `sha256:…`. */
  readonly ca: string;
  readonly token?: string;
  /** Further words for the kernel. */
  readonly commandLine: string;
}

const script = (...lines: readonly string[]): string => `${['#!ipxe', ...lines].join('\n')}\n`;

/** iPXE fills in who the machine is. The MAC address has hyphens: what stands before a colon would be a scheme to iPXE. */
const OWN = `chain --replace ipxe?uuid=\${uuid}&mac=\${netX/mac:hexhyp}`;

/** Asks for the script of the machine that runs it. */
export const askScript = (): string => script(OWN);

const AGAIN = ['sleep 10', OWN] as const;

/** Asks again after a while: there is no answer yet. */
export const againScript = (machineId: string): string =>
  script(`echo Iguana cannot tell yet what machine ${machineId} shall start from`, ...AGAIN);

/** Starts the installer; asks again where a file does not come, since firmware would go on to a disk that may be half written. */
export const installerScript = (machineId: string, words: InstallerWords): string =>
  script(
    `echo Iguana: machine ${machineId} starts the installer`,
    `kernel vmlinuz ${commandLine(words)} || goto again`,
    'initrd --name initrd.img initrd.img || goto again',
    'boot || goto again',
    ':again',
    `echo Iguana: the installer of machine ${machineId} cannot be started; trying again`,
    'imgfree',
    ...AGAIN,
  );

/**
 * Starts what is on the disk. UEFI firmware that is told of a failure goes on to its next boot entry; told of a success, many show a menu
 * instead (UEFI specification, 3.1.1).
 */
export const diskScript = (machineId: string): string =>
  script(`echo Iguana: machine ${machineId} is installed and starts its disk`, 'exit 1');

function commandLine({ server, ca, token, commandLine: further }: InstallerWords): string {
  const own = [`iguana.server=${server}`, `iguana.ca=${ca}`, ...(token ? [`iguana.token=${token}`] : [])];
  // The kernel finds the initrd by this name.
  return ['initrd=initrd.img', ...own, ...(further ? [further] : [])].join(' ');
}
