/** Looking for a program as a shell does. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Where administrators' programs live; a user's PATH on Debian leaves them out. */
const ADMIN_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * The file that a program's name stands for.
 * @param name without a slash
 * @param env whose PATH is searched; default `process.env`. The folders of administrators' programs come last.
 * @returns undefined where there is no such program
 */
export async function findExecutable(
  name: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const folders = [...(env.PATH ?? '').split(delimiter).filter(Boolean), ...ADMIN_FOLDERS];
  for (const folder of folders) {
    const path = join(folder, name);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  return undefined;
}
