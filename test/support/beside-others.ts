/** What has its own servers and folders, and nothing else. */
const BESIDE_OTHERS =
  /\/test\/(?:manifest|workflows|gateway|codec|replay|initrd|machine|client\/(?:usage|profiles)\b)/;

/** @returns whether a test file runs beside any other; those that do not take turns */
export const runsBesideOthers = (path: string): boolean => BESIDE_OTHERS.test(path);
