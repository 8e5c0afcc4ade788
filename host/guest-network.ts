/** How virtual machines on QEMU's user network see this host (QEMU manual, "Using the user mode network stack"). */

/** What such a machine finds there is this host's loopback. */
export const HOST_OF_GUESTS = '10.0.2.2';
const LOOPBACK: readonly string[] = ['127.0.0.1', 'localhost'];

/** @returns an address of this host as a guest reaches it */
export function asGuestsSee(address: string): URL {
  const url = new URL(address);
  if (LOOPBACK.includes(url.hostname)) url.hostname = HOST_OF_GUESTS;
  return url;
}
