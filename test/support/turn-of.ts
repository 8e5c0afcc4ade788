/** What has its own servers, folders and targets, and nothing else. */
const BESIDE_OTHERS =
  /\/test\/(?:manifest|workflows|gateway|codec|replay|initrd|machine|image|store|client)\//;
/** One container with all disks of the host, in which these work. */
const DISKS = /\/test\/(?:disk|personalise|probe)\//;
/** Containers that download and compress. */
const BUILDS = /\/test\/build\//;

/**
 * Which tests a file takes turns with; one of each kind runs at a time.
 * @returns undefined for a file that runs beside any other
 */
export function turnOf(path: string): 'disks' | 'builds' | 'engine' | undefined {
  if (BESIDE_OTHERS.test(path)) return undefined;
  if (DISKS.test(path)) return 'disks';
  return BUILDS.test(path) ? 'builds' : 'engine';
}
