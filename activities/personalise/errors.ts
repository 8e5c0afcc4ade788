/** Guards for errors of the file system. */

/** @returns true where there is no such file, or a parent of it is no folder */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
