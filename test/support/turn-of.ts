/** What has its own servers, folders and targets, and nothing else. */
const BESIDE_OTHERS = /\/test\/(?:manifest|workflows|gateway|codec|replay|initrd|machine|image|client)\//;
/** One container with all disks of the host, in which these work. */
const DISKS = /\/test\/(?:disk|personalise|probe)\//;

/**
 * Which tests a file takes turns with; one of each kind runs at a time.
 * @returns undefined for a file that runs beside any other
 */
export const turnOf = (path: string): 'disks' | 'engine' | undefined =>
  BESIDE_OTHERS.test(path) ? undefined : DISKS.test(path) ? 'disks' : 'engine';
