/** Scripts for iPXE that the boot endpoint gives. Addresses without a host are relative to that of the script. */
import { type InstallerWords, installerLines, ipxeScript, PAUSED } from '../../host/boot/ipxe.ts';

/**
 * Asks for the script of the machine that runs it, until it gets one: the gateway may be restarting. iPXE fills in who the machine is. The MAC
 * address has hyphens: what stands before a colon would be a scheme to iPXE.
 */
const ASK = [
  ':ask',
  `chain --replace ipxe?uuid=\${uuid}&mac=\${netX/mac:hexhyp} || goto wait`,
  ':wait',
  'echo Iguana: no answer yet; asking again',
  ...PAUSED,
  'goto ask',
] as const;

/** Asks for the script of the machine that runs it. */
export const askScript = (): string => ipxeScript(...ASK);

/** Asks again after a while: there is no answer yet. */
export const againScript = (machineId: string): string =>
  ipxeScript(`echo Iguana cannot tell yet what machine ${machineId} shall start from`, ...PAUSED, ...ASK);

/** Starts the installer; asks again where a file does not come. */
export const installerScript = (machineId: string, words: InstallerWords): string =>
  ipxeScript(`echo Iguana: machine ${machineId} starts the installer`, ...installerLines('', words), ...ASK);

/**
 * Starts what is on the disk. UEFI firmware that is told of a failure goes on to its next boot entry; told of a success, many show a menu
 * instead (UEFI specification, 3.1.1).
 */
export const diskScript = (machineId: string): string =>
  ipxeScript(`echo Iguana: machine ${machineId} is installed and starts its disk`, 'exit 1');
